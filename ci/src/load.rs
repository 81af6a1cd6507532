//! `cargo load`: builds what is measured, and what measures, and hands over.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::workspace::{Workspace, emptied};
use crate::{child, component, image, libraries, setup};

/// These start services of this checkout themselves.
const STARTING: [&str; 5] = ["compare", "search", "cold", "memory", "all"];
const LEGACY_IMAGE: &str = "localhost/load-legacy";
const CANDIDATE_IMAGE: &str = "localhost/load-candidate";
const CANDIDATE_STARTED: &str = "localhost/load-candidate serve --listen 127.0.0.1:{port} --compiled /cache";

/// Its exit code is that of `load`.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let verb = arguments.first().map(String::as_str).unwrap_or_default();
    let asks_for_help = arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    let mut images = Vec::new();
    let load = if STARTING.contains(&verb) && !asks_for_help {
        component::build(workspace)?;
        workspace.build_release()?;
        if (verb == "cold" || verb == "all") && !arguments.iter().any(|argument| argument.ends_with("-image")) {
            images = images_or_none(workspace);
        }
        workspace.released("load")
    } else {
        // With the features every lane uses.
        workspace.build()?;
        workspace.binary("load")
    };
    child::become_command(Command::new(load).args(arguments).args(images))
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
    setup::need_container_tools()?;
    let node = libraries::with("node")?;
    let start = format!("WORKDIR /app\nCMD [{:?}, \"src/server.js\"]\n", node[0]);
    let stub = workspace.legacy_stub();
    let files = ["src", "node_modules", "package.json", "keys.json", "contract/keys/verification.json"];
    let mut content: Vec<(PathBuf, PathBuf)> = node.into_iter().map(|file| (file.clone(), file)).collect();
    content.extend(files.map(|file| (stub.join(file), Path::new("/app").join(file))));
    let folder = workspace.target.join("load/image");
    emptied(&folder)?;
    image::build(&folder.join("legacy"), LEGACY_IMAGE, "root", &content, &format!("COPY root /\n{start}"))?;

    let content = image::proxy(&workspace.released("shadow-proxy"), "/shadow-proxy", &folder.join("cache"), "/cache")?;
    let start = "COPY root /\nENTRYPOINT [\"/shadow-proxy\"]\n";
    image::build(&folder.join("candidate"), CANDIDATE_IMAGE, "root", &content, start)
}
