//! `cargo load`: builds what is measured, and what measures, and hands over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::service::Service;
use crate::workspace::{Workspace, write_atomically};
use crate::{child, component, libraries};

/// These start services of this checkout themselves.
const STARTING: [&str; 5] = ["compare", "search", "cold", "memory", "all"];
const LEGACY_IMAGE: &str = "localhost/load-legacy";
const CANDIDATE_IMAGE: &str = "localhost/load-candidate";
const CANDIDATE_STARTED: &str = "localhost/load-candidate serve --listen 127.0.0.1:{port}";
const COMPILED_WITHIN: Duration = Duration::from_secs(60);

/// Its exit code is that of `load`.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let verb = arguments.first().map(String::as_str).unwrap_or_default();
    let asks_for_help = arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    let mut images = Vec::new();
    if STARTING.contains(&verb) && !asks_for_help {
        component::build(workspace)?;
        workspace.build_release()?;
        if (verb == "cold" || verb == "all") && !arguments.iter().any(|argument| argument.ends_with("-image")) {
            images = images_or_none(workspace);
        }
    }
    // With the features every lane uses.
    workspace.build()?;
    let mut load = Command::new(workspace.binary("load"));
    child::become_command(load.args(arguments).args(images))
}

/// The options that name both images; none where they cannot be built, and why is said.
fn images_or_none(workspace: &Workspace) -> Vec<String> {
    match images(workspace) {
        Ok(()) => ["--legacy-image", LEGACY_IMAGE, "--candidate-image", CANDIDATE_STARTED].map(str::to_owned).to_vec(),
        Err(error) => {
            eprintln!("no containers: {error:#}");
            Vec::new()
        }
    }
}

/// From nothing but the program, its libraries and its files, all of this machine: nothing is downloaded.
fn images(workspace: &Workspace) -> Result<()> {
    for tool in ["podman", "runc"] {
        child::on_path(tool).with_context(|| format!("{tool} is not installed; `cargo ci setup` as root brings it"))?;
    }
    let node = libraries::with("node")?;
    let start = format!("WORKDIR /app\nCMD [{:?}, \"src/server.js\"]\n", node[0]);
    let stub = workspace.legacy_stub();
    let files = ["src", "node_modules", "package.json", "keys.json", "contract/keys/verification.json"];
    let mut content: Vec<(PathBuf, PathBuf)> = node.into_iter().map(|file| (file.clone(), file)).collect();
    content.extend(files.map(|file| (stub.join(file), Path::new("/app").join(file))));
    image(workspace, LEGACY_IMAGE, &content, &start)?;

    let proxy = libraries::of(&workspace.target.join("release/shadow-proxy"))?;
    let cache = workspace.target.join("load/image-cache");
    compile_ahead(&proxy[0], &cache)?;
    let mut content = vec![(proxy[0].clone(), PathBuf::from("/shadow-proxy")), (cache, "/cache".into())];
    content.extend(proxy[1..].iter().map(|file| (file.clone(), file.clone())));
    image(workspace, CANDIDATE_IMAGE, &content, "ENV XDG_CACHE_HOME=/cache\nENTRYPOINT [\"/shadow-proxy\"]\n")
}

/// As a deployment does it: the component is compiled when the image is built, not at each start.
fn compile_ahead(proxy: &Path, cache: &Path) -> Result<()> {
    let mut serve = Command::new(proxy);
    serve.args(["serve", "--listen", "127.0.0.1:0"]).env("XDG_CACHE_HOME", cache);
    let mut service = Service::start("shadow-proxy", &mut serve, cache.with_extension("log"))?;
    service.ready(COMPILED_WITHIN)?;
    service.stop().map(|_| ())
}

/// `content`: what is copied, and where it is in the image.
fn image(workspace: &Workspace, name: &str, content: &[(PathBuf, PathBuf)], start: &str) -> Result<()> {
    let folder = workspace.target.join("load/image");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    for (from, to) in content {
        let to = folder.join("root").join(to.strip_prefix("/").unwrap_or(to));
        fs::create_dir_all(to.parent().context("it stands in a folder")?)?;
        // Libraries are links to their versions: what they point to is copied.
        child::quiet(Command::new("cp").args(["--recursive", "--dereference"]).arg(from).arg(&to))?;
    }
    write_atomically(&folder.join("Containerfile"), format!("FROM scratch\nCOPY root /\n{start}").as_bytes())?;
    println!("  image: podman build --tag {name}");
    child::quiet(Command::new("podman").args(["build", "--quiet", "--isolation", "chroot", "--tag", name]).arg(&folder))
}
