//! The page at `/` and those behind it: what a team watches while it migrates, and where it says what happens next.
//!
//! Everything is drawn here; the script only puts newer drawings of the same regions in place. Whatever is foreign is
//! escaped by maud, and cut and made visible by [`figures::visible`].

mod chart;
mod charts;
mod exchange;
mod figures;
mod finding;
mod findings;
mod glance;
mod journal;
mod live;
mod reports;
mod series;
mod shift;
mod sign_in;
mod view;

mod tree;

use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, Path, Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::clock::now_ms;
use crate::shadow::acceptance::NotAccepted;
use crate::shift::controller::Answer;

use self::live::{Fragment, Live};
use self::series::{Series, Span};
use self::view::{LastRead, View};
use super::admin::{Admin, read};
use super::finding::{self as found, Finding};
use super::guard::{self, Problem, Visitor};

pub use self::live::keep_up;
pub use self::sign_in::ask_for_token;

/// What pages have in common.
#[derive(Default)]
pub struct Page {
    live: Live,
    series: Mutex<Series>,
    last_read: LastRead,
}

pub fn routes(admin: &Arc<Admin>) -> Router<Arc<Admin>> {
    let pages = Router::new()
        .route("/", get(home))
        .route("/events", get(events))
        .route("/findings", get(all_findings))
        .route("/findings/{id}", get(one_finding))
        .route("/findings/{id}/accept", get(proposed_rule).post(accept))
        .route("/journal", get(whole_journal))
        .route("/shift", post(order))
        .route("/reports/{file}", get(report))
        .route("/logout", post(sign_in::log_out))
        .layer(middleware::from_fn_with_state(admin.clone(), guard::people));
    Router::new()
        .merge(pages)
        .route("/login", post(sign_in::log_in))
        .route(STYLE_PATH, get(async || asset("text/css; charset=utf-8", STYLE)))
        .route(SCRIPT_PATH, get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .layer(middleware::from_fn(protect))
}

#[derive(Deserialize)]
struct HomeQuery {
    span: Option<String>,
    done: Option<u64>,
}

impl HomeQuery {
    fn span(&self) -> Span {
        self.span.as_deref().and_then(Span::named).unwrap_or_default()
    }
}

async fn home(
    State(admin): State<Arc<Admin>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HomeQuery>,
) -> Response {
    let view = View::of(&admin, 500).await;
    let data = admin.data.clone();
    let reports = tokio::task::spawn_blocking(move || reports::list(&data)).await.unwrap_or_default();
    let span = query.span();
    let drawn = fragments(&view, span, &admin.page);
    let region = |id: &str| drawn.iter().find(|fragment| fragment.id == id).map_or("", |fragment| &fragment.html);
    let live = |id: &'static str| html! { div.live id=(id) { (PreEscaped(region(id))) } };
    let done = query.done.and_then(|done| view.stored.journal.iter().find(|entry| entry.epoch == done));
    let main = html! {
        h1.hidden { "The migration" }
        @if let Some(entry) = done {
            p.notice role="status" { strong { "Done, and in the journal as #" (entry.epoch) "." } " " (figures::visible(entry.decision.reasons.last().map_or("", String::as_str), 200)) }
        }
        (live("alarm"))
        section id="glance" aria-labelledby="glance-title" { h2.hidden id="glance-title" { "At a glance" } (live("now")) }
        section id="charts" aria-labelledby="charts-title" {
            header.row { h2 id="charts-title" { "Traffic" } (charts::spans(span)) }
            (live("drawn"))
        }
        section id="findings" aria-labelledby="findings-title" { h2 id="findings-title" { "Findings" } (live("found")) }
        div.halves {
            section id="shift" aria-labelledby="shift-title" { h2 id="shift-title" { "Shift" } div.card.orders { (shift::form(&visitor.form_token, &view)) } }
            section id="journal" aria-labelledby="journal-title" { h2 id="journal-title" { "Decisions" } (live("decided")) }
        }
        section id="reports" aria-labelledby="reports-title" { h2 id="reports-title" { "Reports" } (reports::region(&reports)) }
        p.hidden id="said" aria-live="polite" {}
    };
    let page = document(Shell { title: &glance::title(&view), visitor: Some(&visitor), events: Some(span) }, &main);
    respond(StatusCode::OK, page)
}

/// The regions that are kept up to date.
fn fragments(view: &View, span: Span, page: &Page) -> Vec<Fragment> {
    let points = page.series.lock().expect("nothing panics while it looks").points(span, view.now_ms);
    let of = |id, markup: Markup| Fragment { id, html: markup.into_string() };
    vec![
        Fragment { id: "title", html: glance::title(view) },
        of("alarm", glance::alarm(view)),
        of("now", glance::region(view)),
        of("drawn", charts::region(view, span, &points)),
        of("found", findings::region(&view.stored.findings)),
        of("decided", journal::region(&view.stored.journal)),
    ]
}

async fn events(State(admin): State<Arc<Admin>>, Query(query): Query<HomeQuery>) -> Response {
    admin.page.live.open(query.span(), &admin.metrics)
}

#[derive(Deserialize)]
struct ListQuery {
    show: Option<String>,
    page: Option<usize>,
}

async fn all_findings(
    State(admin): State<Arc<Admin>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<ListQuery>,
) -> Response {
    let view = View::of(&admin, 500).await;
    let show = query.show.as_deref().and_then(findings::Show::named).unwrap_or(findings::Show::All);
    let main = findings::page(&view.stored.findings, show, query.page.unwrap_or(1));
    respond(StatusCode::OK, document(Shell::of("Findings", &visitor), &main))
}

async fn one_finding(
    State(admin): State<Arc<Admin>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let finding = find(&admin, id).await?;
    let main = finding::page(&finding);
    Ok(respond(StatusCode::OK, document(Shell::of(&format!("Finding #{id}"), &visitor), &main)))
}

async fn find(admin: &Arc<Admin>, id: i64) -> Result<Finding, Problem> {
    let found = read(admin.clone(), move |store, base| found::finding(store, id, base, now_ms())).await?;
    found.ok_or_else(|| Problem(StatusCode::NOT_FOUND, format!("there is no finding {id}; `/findings` lists them")))
}

async fn proposed_rule(
    State(admin): State<Arc<Admin>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<i64>,
    Query(wish): Query<finding::Wish>,
) -> Result<Response, Problem> {
    let found = find(&admin, id).await?;
    let unsigned = finding::unsigned(&wish);
    let proposed = tokio::task::spawn_blocking(move || admin.rules.propose(id, &unsigned)).await;
    let proposed = proposed.map_err(|error| Problem::internal(&error.into()))?;
    let main = finding::accept(&visitor.form_token, &found, &wish, &proposed);
    Ok(respond(StatusCode::OK, document(Shell::of(&format!("Accept #{id}"), &visitor), &main)))
}

async fn accept(
    State(admin): State<Arc<Admin>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<i64>,
    form: Result<Form<finding::Confirmed>, FormRejection>,
) -> Result<Response, Problem> {
    let form = ours(form, &visitor, |form| &form.form_token)?;
    let acceptance = form.acceptance();
    let accepted = tokio::task::spawn_blocking(move || admin.rules.accept(id, &acceptance)).await;
    match accepted.map_err(|error| Problem::internal(&error.into()))? {
        Ok(accepted) => {
            tracing::info!(finding = id, rule = accepted.rule, "a finding was accepted");
            Ok(see_other(&format!("/findings/{id}")))
        }
        Err(NotAccepted::Failed(error)) => Err(Problem::internal(&error)),
        Err(error) => {
            let back = format!("/findings/{id}/accept");
            Ok(refused(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &[error.to_string()], &back))
        }
    }
}

async fn whole_journal(State(admin): State<Arc<Admin>>, Extension(visitor): Extension<Visitor>) -> Response {
    let view = View::of(&admin, 500).await;
    let entries = &view.stored.journal;
    let main = html! {
        h1 { "Decisions" }
        p.quiet { "The last " (view::JOURNAL_MAX) " at most, the newest first; " code { "shadow-proxy shift explain N" } " shows any." }
        @if entries.is_empty() { p.empty { "Nothing was decided yet." } } @else { (journal::timeline(entries)) }
    };
    respond(StatusCode::OK, document(Shell::of("Decisions", &visitor), &main))
}

/// Says what would come of it; with the confirmation, and as long as nothing has changed since, it is done.
async fn order(
    State(admin): State<Arc<Admin>>,
    Extension(visitor): Extension<Visitor>,
    form: Result<Form<shift::Order>, FormRejection>,
) -> Result<Response, Problem> {
    let order = ours(form, &visitor, |order| &order.form_token)?;
    if let Some(gap) = order.gap() {
        return Ok(refused(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &[gap.to_owned()], "/#shift"));
    }
    if order.confirmed_at != Some(admin.shift.state().epoch) {
        let view = View::of(&admin, 500).await;
        // The controller looks at the store now and then, and for a command: what is stated is by what it will see.
        let evidence = read(admin, |store, _| super::gate::evidence(store, now_ms())).await?;
        let view = view.with_evidence(evidence);
        let main = shift::confirmation(&visitor.form_token, &order, &view);
        return Ok(respond(StatusCode::OK, document(Shell::of("Confirm", &visitor), &main)));
    }
    match admin.shift.command(order.command()).await {
        Answer::Done(entry) => Ok(see_other(&format!("/?done={}#journal", entry.epoch))),
        Answer::Refused(reasons) => Ok(refused(&visitor, StatusCode::CONFLICT, &reasons, "/#shift")),
        Answer::Failed(error) => Err(Problem::internal(&error)),
    }
}

/// A form that this process made for this visitor.
fn ours<T>(form: Result<Form<T>, FormRejection>, visitor: &Visitor, token: impl Fn(&T) -> &str) -> Result<T, Problem> {
    let Form(form) = form.map_err(|error| Problem(error.status(), format!("{error}; send the form from the page")))?;
    if visitor.has_made(token(&form)) {
        return Ok(form);
    }
    let reason =
        "this form is of another session or of the proxy before it was restarted, so nothing was done; reload the page";
    Err(Problem(StatusCode::FORBIDDEN, reason.to_owned()))
}

async fn report(State(admin): State<Arc<Admin>>, Path(file): Path<String>) -> Result<Response, Problem> {
    let is_json = file.ends_with(".json");
    let content = tokio::task::spawn_blocking(move || reports::read(&admin.data, &file)).await.ok().flatten();
    let content = content
        .ok_or_else(|| Problem(StatusCode::NOT_FOUND, "there is no such report; `/#reports` lists them".to_owned()))?;
    let media_type = if is_json { "application/json" } else { "text/html; charset=utf-8" };
    let headers = [(CONTENT_TYPE, media_type), (CONTENT_SECURITY_POLICY, REPORT_POLICY)];
    Ok((headers, content).into_response())
}

fn refused(visitor: &Visitor, status: StatusCode, reasons: &[String], back: &str) -> Response {
    let main = html! {
        h1 { "Nothing was done" }
        ul.plain { @for reason in reasons { li { (figures::sentence(reason, 400)) } } }
        p { a.button href=(back) { "Back" } }
    };
    respond(status, document(Shell::of("Refused", visitor), &main))
}

fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to.to_owned())]).into_response()
}

fn respond(status: StatusCode, page: Markup) -> Response {
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}

/// What is around a page.
struct Shell<'a> {
    title: &'a str,
    /// None: nobody is in yet.
    visitor: Option<&'a Visitor>,
    /// Of a page that is kept up to date.
    events: Option<Span>,
}

impl<'a> Shell<'a> {
    fn of(title: &'a str, visitor: &'a Visitor) -> Shell<'a> {
        Shell { title, visitor: Some(visitor), events: None }
    }
}

fn document(shell: Shell, main: &Markup) -> Markup {
    let Shell { title, visitor, events } = shell;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(ICON);
                // Shown when it is whole: what comes in parts would move what is there already.
                link rel="expect" href="#end" blocking="render";
                link rel="stylesheet" href=(format!("{STYLE_PATH}?{}", *STYLE_HASH));
                script src=(format!("{SCRIPT_PATH}?{}", *SCRIPT_HASH)) defer {}
                @if events.is_some() { noscript { meta http-equiv="refresh" content="30"; } }
            }
            body data-events=[events.map(|span| format!("/events?span={}", span.name()))] {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.name href="/" { "shadow-proxy" }
                    @if let Some(visitor) = visitor {
                        nav aria-label="Parts of the page" {
                            a href="/#glance" { "State" } a href="/#charts" { "Traffic" } a href="/#findings" { "Findings" }
                            a href="/#shift" { "Shift" } a href="/#reports" { "Reports" }
                        }
                        p.standing id="standing" { @if events.is_some() { "reloads every 30 s" } }
                        @if visitor.has_session {
                            form method="post" action="/logout" { button { "Log out" } }
                        }
                    }
                }
                main id="main" tabindex="-1" { (main) }
                i id="end" hidden {}
            }
        }
    }
}

/// What a browser may do with whatever comes from here: nothing but show it, with our own style and script.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let of_page = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: without HTTPS the origin is what tells that a form is ours, and that would hide it.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in of_page {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn asset(media_type: &'static str, content: &'static str) -> Response {
    // Its address has its hash in it.
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")], content).into_response()
}

fn hash(content: &str) -> String {
    Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
    frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// A report brings its own style and pictures, and may do nothing else wherever it is opened.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; \
    form-action 'none'; frame-ancestors 'self'; base-uri 'none'; sandbox";
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");
const STYLE_PATH: &str = "/page.css";
const SCRIPT_PATH: &str = "/page.js";
static STYLE_HASH: LazyLock<String> = LazyLock::new(|| hash(STYLE));
static SCRIPT_HASH: LazyLock<String> = LazyLock::new(|| hash(SCRIPT));
/// Two strands, one in front of the other.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='6' cy='8' r='5' \
    fill='%23b45f06'/%3E%3Ccircle cx='10' cy='8' r='5' fill='%231d62c4' fill-opacity='.85'/%3E%3C/svg%3E";
