//! Where a token opens the page: a form, a session, the end of it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Form, State};
use axum::http::header::{SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;
use serde::Deserialize;

use super::{Shell, document, respond, see_other};
use crate::show::admin::Admin;
use crate::show::guard::{self, COOKIE_NAME, Entry, Problem, SESSION_MS, is_same_origin};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    token: String,
    #[serde(default)]
    to: String,
}

/// In place of the page that was asked for.
pub fn ask_for_token(path: &str) -> Response {
    asked(path, None)
}

fn asked(path: &str, wrong: Option<&str>) -> Response {
    let main = html! {
        div.card.login {
            h1 { "Who are you?" }
            p { "This port asks for the token that its operator keeps in the file " code { "admin_token_file" } "." }
            @if let Some(wrong) = wrong { p.alarm role="alert" { (wrong) } }
            form.order method="post" action="/login" {
                input type="hidden" name="to" value=(local(path));
                label { "Token" input type="password" name="token" required autocomplete="current-password"; }
                div.buttons { button.primary { "Open" } }
            }
        }
    };
    let page = document(Shell { title: "Token", visitor: None, events: None }, &main);
    let mut response = respond(StatusCode::UNAUTHORIZED, page);
    response.headers_mut().insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
    response
}

pub async fn log_in(
    State(admin): State<Arc<Admin>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Result<Form<Login>, FormRejection>,
) -> Result<Response, Problem> {
    if !is_same_origin(&headers) {
        let reason =
            "the token was not sent from this page, so it was not looked at; open the page and send it from there";
        return Err(Problem(StatusCode::FORBIDDEN, reason.to_owned()));
    }
    let Form(Login { token, to }) = form.map_err(|error| Problem(error.status(), error.body_text()))?;
    Ok(match admin.guard.log_in(peer.ip(), token.as_bytes()) {
        Ok(id) => {
            let seconds = SESSION_MS / 1_000;
            let cookie = format!("{COOKIE_NAME}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}");
            ([(SET_COOKIE, cookie)], see_other(&local(&to))).into_response()
        }
        Err(Entry::Later(seconds)) => guard::later(seconds),
        Err(_) => asked(&to, Some("This is not the token.")),
    })
}

pub async fn log_out(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    admin.guard.log_out(&headers);
    ([(SET_COOKIE, format!("{COOKIE_NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"))], see_other("/"))
        .into_response()
}

/// A page of ours, whatever was asked for.
fn local(path: &str) -> String {
    let is_page = ["/findings", "/journal"].iter().any(|start| path.starts_with(start));
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/');
    if is_page && is_plain && !path.contains("//") { path.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_token_comes_a_page_of_ours() {
        for (path, expected) in [
            ("/", "/"),
            ("/findings/7", "/findings/7"),
            ("/journal", "/journal"),
            ("//evil.example", "/"),
            ("/findings//evil.example", "/"),
            ("https://evil.example/findings", "/"),
            ("/findings?\r\nSet-Cookie: a", "/"),
            ("/logout", "/"),
        ] {
            assert_eq!(local(path), expected);
        }
    }
}
