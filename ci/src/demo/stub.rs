//! The legacy stub: in a container where podman with runc works, as its users run it; else as a process.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Demo;
use crate::child;
use crate::image;
use crate::interrupt;
use crate::libraries;
use crate::service::Service;
use crate::workspace::EXPRESS_ENVIRONMENT;

const READY_WITHIN: Duration = Duration::from_secs(20);

pub(super) struct Stub {
    pub(super) service: Service,
    /// `HOST:PORT`
    pub(super) address: String,
    /// `in a container (podman, runc)`, or why not.
    pub(super) how: String,
}

pub(super) fn start(demo: &Demo<'_>) -> Result<Stub> {
    if demo.options.process {
        return as_process(demo, "as a process (--process)".to_owned());
    }
    match in_container(demo) {
        Ok(stub) => Ok(stub),
        Err(error) => {
            interrupt::check()?;
            let reason = error.to_string().lines().take(2).map(str::trim).collect::<Vec<_>>().join(": ");
            as_process(demo, format!("as a process (no container: {reason})"))
        }
    }
}

fn as_process(demo: &Demo<'_>, how: String) -> Result<Stub> {
    let service = Service::start("the legacy stub", &mut demo.workspace.express(), demo.folder.join("stub.log"))?;
    wait(service, how)
}

/// The image is an empty folder: node and its libraries are those of this machine, mounted read-only, so nothing is
/// downloaded or copied.
fn in_container(demo: &Demo<'_>) -> Result<Stub> {
    for tool in ["podman", "runc"] {
        child::on_path(tool).with_context(|| format!("{tool} is not installed; `cargo ci setup` as root brings it"))?;
    }
    let rootfs = demo.folder.join("rootfs");
    std::fs::create_dir_all(&rootfs)?;
    let name = format!("shadow-proxy-demo-{}", std::process::id());
    let mut podman = image::podman_run(&name);
    podman.args(["--workdir", "/app"]);
    for (variable, value) in EXPRESS_ENVIRONMENT {
        podman.arg("--env").arg(format!("{variable}={value}"));
    }
    let node = libraries::with("node")?;
    mount(&mut podman, &demo.workspace.legacy_stub(), Path::new("/app"));
    for file in &node {
        mount(&mut podman, file, file);
    }
    podman.arg("--rootfs").arg(&rootfs).arg(&node[0]).arg("src/server.js");
    let service = Service::start("the container", &mut podman, demo.folder.join("stub.log"))?.in_container(name);
    wait(service, "in a container (podman, runc)".to_owned())
}

fn wait(mut service: Service, how: String) -> Result<Stub> {
    let ready = service.ready(READY_WITHIN)?;
    let address = ready.get("listen").context("the legacy stub's ready line names no `listen=`")?.clone();
    Ok(Stub { service, address, how })
}

fn mount(podman: &mut Command, from: &Path, to: &Path) {
    podman.arg("--volume").arg(format!("{}:{}:ro", from.display(), to.display()));
}
