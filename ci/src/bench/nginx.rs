//! nginx, as the proxy to compare with, and as a service that answers faster than any proxy asks.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::server::{Server, free_address};

/// Answers every request as the legacy service answers a valid key, in a few microseconds.
pub(super) fn fast_service(folder: &Path) -> Result<Server> {
    answering(r#"{"valid":true,"user_id":"user_123","expires_at":"2099-12-31T23:59:59.000Z"}"#, folder)
}

/// The same, with an id in each answer that is never the same twice.
pub(super) fn noisy_service(folder: &Path) -> Result<Server> {
    let answer =
        r#"{"valid":true,"user_id":"user_123","expires_at":"2099-12-31T23:59:59.000Z","request":"$request_id"}"#;
    answering(answer, folder)
}

fn answering(answer: &str, folder: &Path) -> Result<Server> {
    let locations = format!("default_type application/json; location / {{ return 200 '{answer}'; }}");
    start("fast-service", "", &locations, folder)
}

/// A plain reverse proxy with kept connections; `mirror` gets a copy of each request, its answers are thrown away.
pub(super) fn proxy(service: &Server, mirror: Option<&Server>, folder: &Path) -> Result<Server> {
    let upstream =
        |name: &str, server: &Server| format!("upstream {name} {{ server {}; keepalive 128; }}", server.address);
    let mut upstreams = upstream("legacy", service);
    let kept = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host;";
    let mut locations = format!("location / {{ proxy_pass http://legacy; {kept} @mirror@ }}");
    if let Some(mirror) = mirror {
        upstreams += &upstream("candidate", mirror);
        locations += &format!("location = /mirror {{ internal; proxy_pass http://candidate$request_uri; {kept} }}");
    }
    let locations =
        locations.replace("@mirror@", if mirror.is_some() { "mirror /mirror; mirror_request_body on;" } else { "" });
    start("nginx", &upstreams, &locations, folder)
}

fn start(name: &'static str, upstreams: &str, locations: &str, folder: &Path) -> Result<Server> {
    let address = free_address()?;
    let folder_shown = folder.display();
    let configuration = format!(
        "daemon off; pid {folder_shown}/{name}.pid; error_log {folder_shown}/{name}-error.log; worker_processes auto;
         events {{ worker_connections 4096; }}
         http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder_shown}/{name}-body;
                 proxy_temp_path {folder_shown}/{name}-proxy; fastcgi_temp_path {folder_shown}/{name}-f;
                 uwsgi_temp_path {folder_shown}/{name}-u; scgi_temp_path {folder_shown}/{name}-s; {upstreams}
                 server {{ listen {address} backlog=4096; {locations} }} }}"
    );
    let file = folder.join(format!("{name}.conf"));
    fs::write(&file, configuration)?;
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&file).arg("-e").arg(folder.join(format!("{name}-error.log")));
    Server::at(name, &mut command, address, folder)
}
