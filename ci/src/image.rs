//! Images without a download, and lane `image`: the last stage of the Containerfile, built and run as users would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::service::Service;
use crate::workspace::{Workspace, emptied, write_atomically};
use crate::{admin, child, libraries, setup};

const CONTAINERFILE: &str = "shadow-proxy/packaging/Containerfile";
const NAME: &str = "localhost/ci-shadow-proxy";
const USER: u32 = 65_532;
const PROGRAM: &str = "usr/local/bin/shadow-proxy";
const COMPILED: &str = "var/cache/shadow-proxy";
const READY_WITHIN: Duration = Duration::from_secs(60);

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    setup::need_container_tools()?;
    workspace.build()?;
    let folder = workspace.target.join("image");
    emptied(&folder)?;
    built(workspace, &folder)?;
    let data = folder.join("volume");
    fs::create_dir_all(&data)?;
    std::os::unix::fs::chown(&data, Some(USER), Some(USER))
        .context("cannot give /data to its user; run this as root")?;
    let mut legacy = Service::start("the legacy stub", &mut workspace.express(), folder.join("legacy.log"))?;
    let legacy_address = legacy.ready(READY_WITHIN)?.remove("listen").context("its ready line names no `listen=`")?;
    let config = folder.join("proxy.toml");
    let text =
        format!("listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[legacy]\nurl = \"http://{legacy_address}\"\n");
    fs::write(&config, text)?;

    let container = format!("ci-shadow-proxy-{}", std::process::id());
    let mut podman = podman_run(&container);
    podman.args(["--cap-drop", "all", "--security-opt", "no-new-privileges"]);
    podman.arg("--volume").arg(format!("{}:/data", data.display()));
    podman.arg("--volume").arg(format!("{}:/etc/shadow-proxy/proxy.toml:ro", config.display()));
    let log = folder.join("shadow-proxy.log");
    let mut proxy = Service::start("the image", podman.arg(NAME), log)?.in_container(container.clone());
    let ready = proxy.ready(READY_WITHIN)?;
    let address = |name: &str| ready.get(name).context("the ready line lacks an address");
    let by_legacy: Value = admin::get(address("listen")?, "/healthz")?;
    ensure!(by_legacy["status"] == "ok", "through the image legacy answers {by_legacy}");
    admin::status(address("admin")?)?;
    unprivileged(&container)?;
    ensure!(proxy.stop()?.success(), "SIGTERM did not end it well{}", proxy.last_words());
    ensure!(data.join("shadow.db").exists(), "it left no records in /data");
    ensure!(!data.join("compiled").exists(), "it compiled again what the image has compiled");
    legacy.stop()?;
    println!("  built, run as user {USER}, read-only, without capabilities; {NAME}");
    Ok(())
}

/// From programs of this machine instead of the first stage's; all else as the Containerfile's last stage says.
fn built(workspace: &Workspace, folder: &Path) -> Result<()> {
    let text = fs::read_to_string(workspace.root.join(CONTAINERFILE))?;
    let content = proxy(&workspace.binary("shadow-proxy"), PROGRAM, &folder.join("compiled"), COMPILED)?;
    let context = folder.join("context");
    fs::create_dir_all(context.join("image/data"))?;
    build(&context, NAME, "image", &content, &last_stage(&text)?)
}

/// The instructions behind the last `FROM`, for a context that has what the stages before it made.
fn last_stage(containerfile: &str) -> Result<String> {
    let from = containerfile.rfind("\nFROM ").context("the Containerfile has no stage")? + 1;
    let instructions = containerfile[from..].split_once('\n').map_or("", |(_, rest)| rest);
    Ok(instructions.replace("--from=build ", "").replace(" /image/", " image/"))
}

/// What an image of this shadow-proxy has, and where. Compiled when the image is built, as a deployment does it, and not at
/// each start: into `compiled` here.
pub(crate) fn proxy(
    program: &Path,
    program_there: &str,
    compiled: &Path,
    compiled_there: &str,
) -> Result<Vec<(PathBuf, PathBuf)>> {
    child::quiet(Command::new(program).args(["compile", "--out"]).arg(compiled))?;
    let libraries = libraries::of(program)?.into_iter().skip(1).map(|file| (file.clone(), file));
    let own = [(program.to_owned(), program_there.into()), (compiled.to_owned(), compiled_there.into())];
    Ok(own.into_iter().chain(libraries).collect())
}

/// `content`: what is copied, and where it is in the folder of the context that the instructions copy from.
pub(crate) fn build(
    context: &Path,
    name: &str,
    root: &str,
    content: &[(PathBuf, PathBuf)],
    instructions: &str,
) -> Result<()> {
    for (from, to) in content {
        let to = context.join(root).join(to.strip_prefix("/").unwrap_or(to));
        fs::create_dir_all(to.parent().context("it stands in a folder")?)?;
        // Libraries are links to their versions: what they point to is copied.
        child::quiet(Command::new("cp").args(["--recursive", "--dereference"]).arg(from).arg(&to))?;
    }
    write_atomically(&context.join("Containerfile"), format!("FROM scratch\n{instructions}").as_bytes())?;
    println!("  image: podman build --tag {name}");
    child::quiet(Command::new("podman").args(["build", "--quiet", "--isolation", "chroot", "--tag", name]).arg(context))
}

/// A container of that name whose own files cannot be written, in the network of this machine.
pub(crate) fn podman_run(container: &str) -> Command {
    let mut podman = Command::new("podman");
    // crun, podman's default, fails on machines with both kinds of cgroups. The limits are podman's own wish to raise
    // them, which an unprivileged machine refuses.
    podman.args(["--runtime", "runc", "run", "--rm", "--name", container, "--network", "host", "--read-only"]);
    podman.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]);
    podman
}

/// What the kernel says about the process in the container.
fn unprivileged(container: &str) -> Result<()> {
    let mut inspect = Command::new("podman");
    let pid = child::output(inspect.args(["inspect", "--format", "{{.State.Pid}}", container]))?;
    let status =
        fs::read_to_string(format!("/proc/{}/status", pid.trim())).context("the container's process is gone")?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let user = USER.to_string();
    ensure!(field("Uid:").split_whitespace().all(|uid| uid == user), "it runs as {}, not as {USER}", field("Uid:"));
    ensure!(field("CapEff:").trim_matches('0').is_empty(), "it has capabilities: {}", field("CapEff:"));
    let root = format!("/proc/{}/root", pid.trim());
    ensure!(!Path::new(&root).join("bin/sh").exists(), "there is a shell in it");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_copies_from_the_context() {
        let text = "ARG A=1\nFROM rust AS build\nRUN x\n\n# why\nFROM distroless\nCOPY --from=build /image/ /\n\
                    COPY --from=build --chown=1:1 /image/data /data\nUSER 1\n";
        let expected = "COPY image/ /\nCOPY --chown=1:1 image/data /data\nUSER 1\n";
        assert_eq!(last_stage(text).unwrap(), expected);
    }
}
