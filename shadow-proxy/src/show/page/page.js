// Puts newer drawings of the same regions in place, shows the numbers under the pointer, copies a line. All else is HTML.
"use strict";
(() => {
  const standing = document.getElementById("standing");
  const said = document.getElementById("said");
  const events = document.body.dataset.events;

  // What has a place of its own keeps it: focus, scrolling and open details stay as they are.
  function update(old, now) {
    if (old.isEqualNode(now)) return;
    if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== now.nodeName) return old.replaceWith(now);
    for (const { name } of [...old.attributes]) {
      if (!now.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of now.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if ("replace" in now.dataset || keys(old) !== keys(now)) return old.replaceChildren(...now.childNodes);
    const [before, after] = [[...old.childNodes], [...now.childNodes]];
    before.slice(after.length).forEach((node) => node.remove());
    after.forEach((node, index) => (before[index] ? update(before[index], node) : old.append(node)));
  }

  // Of a list: what is in it, in order.
  function keys(node) {
    if (!node.matches(".box")) return "";
    return [...node.querySelectorAll("[data-key]")].map((entry) => entry.dataset.key).join(" ");
  }

  // A list does not change its order under the pointer or the focus: it says that there is something newer.
  const waiting = new Map();
  function show(id, html) {
    const region = document.getElementById(id);
    const now = document.createElement("div");
    now.innerHTML = html;
    const [list, newer] = [region.querySelector(".box"), now.querySelector(".box")];
    const isUsed = list && (list.matches(":hover") || list.contains(document.activeElement));
    if (isUsed && keys(list) !== keys(newer)) {
      waiting.set(id, html);
      if (!list.querySelector(".newer")) {
        const button = Object.assign(document.createElement("button"), { className: "newer", textContent: "There is more: show" });
        button.onclick = () => apply(id, waiting.get(id));
        list.prepend(button);
        list.addEventListener("pointerleave", () => waiting.has(id) && apply(id, waiting.get(id)), { once: true });
      }
      return;
    }
    apply(id, html);
  }

  function apply(id, html) {
    waiting.delete(id);
    const region = document.getElementById(id);
    const now = region.cloneNode(false);
    now.innerHTML = html;
    // A region that is the same keeps what the script has put into it.
    update(region, now);
    region.querySelectorAll(".plot").forEach((plot) => point(plot));
  }

  // Charts: the numbers of one time, read from the table below.
  const cursors = new Map();
  function point(plot) {
    const figure = plot.closest("figure");
    const rows = figure.querySelectorAll("tbody tr");
    const index = cursors.get(figure.id);
    const row = rows[index];
    plot.classList.toggle("on", Boolean(row));
    if (!row) return;
    const [left, right] = [Number(plot.dataset.left), Number(plot.dataset.right)];
    const x = left + ((right - left) * index) / Math.max(rows.length - 1, 1);
    const line = plot.querySelector(".cursor");
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    figure.querySelector("[data-when]").textContent = row.cells[0].textContent;
    figure.querySelectorAll("[data-of]").forEach((value, at) => (value.textContent = row.cells[at + 1].textContent));
  }

  function move(plot, index) {
    const figure = plot.closest("figure");
    const rows = figure.querySelectorAll("tbody tr");
    if (index === null) {
      cursors.delete(figure.id);
      const last = (at) => [...rows].map((row) => row.cells[at].textContent).findLast((text) => text !== "-") ?? "-";
      figure.querySelector("[data-when]").textContent = "now";
      figure.querySelectorAll("[data-of]").forEach((value, at) => (value.textContent = last(at + 1)));
    } else {
      cursors.set(figure.id, Math.min(Math.max(index, 0), rows.length - 1));
    }
    point(plot);
  }

  function at(plot, event) {
    const box = plot.getBoundingClientRect();
    const rows = plot.closest("figure").querySelectorAll("tbody tr").length;
    const [left, right] = [Number(plot.dataset.left), Number(plot.dataset.right)];
    const x = ((event.clientX - box.left) / box.width) * plot.viewBox.baseVal.width;
    return Math.round(((x - left) / (right - left)) * (rows - 1));
  }

  const plotOf = (event) => (event.target.closest ? event.target.closest(".plot") : null);
  let under = null;
  document.addEventListener("pointermove", (event) => {
    const plot = plotOf(event);
    if (under && under !== plot) move(under, null);
    if (plot) move(plot, at(plot, event));
    under = plot;
  });
  document.addEventListener("keydown", (event) => {
    const plot = plotOf(event);
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (!plot || !(event.key in steps || event.key === "Escape")) return;
    event.preventDefault();
    if (event.key === "Escape") return move(plot, null);
    const figure = plot.closest("figure");
    const last = figure.querySelectorAll("tbody tr").length - 1;
    move(plot, (cursors.get(figure.id) ?? last + 1) + steps[event.key]);
    said.textContent = [...figure.querySelectorAll(".when, .key")].map((part) => part.textContent).join(", ");
  });
  document.addEventListener("focusout", (event) => plotOf(event) && move(plotOf(event), null));

  // Copying needs a secure page; without one the line is selected.
  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = false;
    button.onclick = async () => {
      const line = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(line.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(line);
        button.textContent = "Selected: copy it";
      }
    };
  });

  if (!events) return;
  let heard = "";
  let patience;
  function stand(text, state) {
    if (standing.className !== `standing ${state}`) said.textContent = text;
    standing.className = `standing ${state}`;
    standing.textContent = text;
  }
  const lost = () => stand(heard ? `not live since ${heard} UTC` : "not live: reload", "lost");
  function open() {
    const source = new EventSource(events);
    source.addEventListener("now", ({ data }) => {
      heard = data;
      stand(`live, ${data} UTC`, "live");
      clearTimeout(patience);
      patience = setTimeout(lost, 5000);
    });
    source.addEventListener("region", ({ data }) => {
      const { id, html } = JSON.parse(data);
      if (id === "title") document.title = html;
      else show(id, html);
    });
    source.onerror = () => {
      lost();
      // A refusal ends it for good; a connection that was lost comes back by itself.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000);
    };
  }
  stand("connecting", "");
  open();
})();
