import { Agent, request } from 'node:http';

const ANSWER_WITHIN_MS = 10_000;
const WRONG_SHOWN = 20;

/** Counts of the calls, and the answers that legacy did not promise. */
export class Book {
  calls = 0;
  counts = {};
  wrongTotal = 0;
  wrong = [];
  begun = Date.now();

  count(kind) {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  /** Counts the check, and keeps what it found where that is not `wanted`. */
  check(kind, found, wanted, about) {
    this.count(kind);
    if (found === wanted) return true;
    this.wrongTotal += 1;
    if (this.wrong.length < WRONG_SHOWN) {
      const seconds = ((Date.now() - this.begun) / 1000).toFixed(1);
      this.wrong.push(`${seconds} s: ${kind}: answered ${found}, promised ${wanted} (${about})`);
    }
    return false;
  }
}

/** A client at an address of its own, as the load balancer in front of the service reports it. */
export class Client {
  #target;
  #book;
  #agent;
  #address;

  constructor(target, book, agent, address) {
    this.#target = target;
    this.#book = book;
    this.#agent = agent;
    this.#address = address;
  }

  /** The answer with the times before and after it; status 0 where there is none. */
  ask(method, path, { headers = {}, json } = {}) {
    this.#book.calls += 1;
    const body = json === undefined ? undefined : JSON.stringify(json);
    const type = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const options = { agent: this.#agent, method, headers: { 'x-forwarded-for': this.#address, ...type, ...headers } };
    const sentAt = Date.now();
    return new Promise((resolve) => {
      const failed = (error) => resolve({ status: 0, headers: {}, json: {}, error: error.message, sentAt, gotAt: Date.now() });
      const req = request(new URL(path, this.#target), options, (res) => {
        const chunks = [];
        res.on('data', (chunk) => chunks.push(chunk)).on('error', failed);
        res.on('end', () => {
          resolve({ status: res.statusCode, headers: res.headers, json: parsed(Buffer.concat(chunks)), sentAt, gotAt: Date.now() });
        });
      });
      req.setTimeout(ANSWER_WITHIN_MS, () => req.destroy(new Error('no answer in time')));
      req.on('error', failed).end(body);
    });
  }
}

export function agent() {
  return new Agent({ keepAlive: true, maxSockets: 64 });
}

/** The values of the cookies that an answer sets. */
export function cookiesSet(answer) {
  const pairs = (answer.headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0].split(/=(.*)/).slice(0, 2));
  return Object.fromEntries(pairs);
}

function parsed(bytes) {
  try {
    return JSON.parse(bytes);
  } catch {
    return {};
  }
}
