//! The admin port.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::DefaultBodyLimit;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::clock::now_ms;
use crate::keys::live::Live;
use crate::metrics::Metrics;
use crate::shadow::acceptance::{Acceptance, Accepted, NotAccepted, RulesInForce};
use crate::shadow::record::{Samples, Standing, Store};
use crate::shadow::rules::review::Reviewed;
use crate::shift::controller::{Answer, Controls};
use crate::shift::decommission::{self, Farewell};
use crate::shift::evidence::EndpointCount;
use crate::shift::gate;
use crate::shift::journal;
use crate::shift::plan::Plan;
use crate::shift::step::{Command, Verb};
use crate::shift::weight::{ALL_PPM, Weight};
use crate::side::candidate::Usage;

use super::finding::{self, Finding};
use super::guard::{self, Guard, Problem};
use super::page::{self, Page};
use super::shift::{self, Explained};

/// A command and its reason; what it says is written into the journal.
const COMMAND_BYTES_MAX: usize = 16 << 10;

/// What the admin port shows and moves.
pub struct Admin {
    pub metrics: Arc<Metrics>,
    pub shift: Controls,
    pub plan: Plan,
    pub weight: Arc<Weight>,
    pub data: PathBuf,
    pub rules: RulesInForce,
    /// Whether records reach the disk.
    pub recording: Arc<Standing>,
    /// Where the component's keys come from files.
    pub keys: Option<Arc<Live>>,
    /// Off once the proxy drains.
    pub ready: AtomicBool,
    pub guard: Guard,
    pub page: Page,
    /// What the component holds; none where the candidate is a service elsewhere.
    pub usage: Option<Arc<Usage>>,
    /// Where curl lines point to: the proxy's own address.
    pub base: String,
    /// What has to be shown before traffic may move.
    pub gate: gate::Policy,
}

/// Serves until the process ends: what drains is watched through it.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) -> std::io::Result<()> {
    tokio::spawn(page::keep_up(admin.clone()));
    let router = router(admin).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await
}

fn router(admin: Arc<Admin>) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/api/status", get(status))
        .route("/api/gate", get(judgement))
        .route("/api/diffs", get(diffs))
        .route("/api/diffs/{id}", get(diff))
        .route("/api/diffs/{id}/accept", post(accept))
        .route("/api/rules", get(rules))
        .route("/api/endpoints", get(endpoints))
        .route("/api/weight", post(weight))
        .route("/api/rollback", post(|admin, body| order(admin, body, Verb::Rollback)))
        .route("/api/advance", post(|admin, body| order(admin, body, Verb::Advance)))
        .route("/api/hold", post(|admin, body| order(admin, body, Verb::Hold)))
        .route("/api/resume", post(|admin, body| order(admin, body, Verb::Resume)))
        .route("/api/approve", post(|admin, body| order(admin, body, Verb::Approve)))
        .route("/api/shift", get(present))
        .route("/api/shift/decommission", get(may_go))
        .route("/api/shift/{epoch}", get(explained))
        .layer(middleware::from_fn_with_state(admin.clone(), guard::programs));
    Router::new()
        .route("/healthz", get(async || Json(json!({"status": "ok"}))))
        .route("/readyz", get(ready))
        .merge(guarded)
        .merge(page::routes(&admin))
        .layer(DefaultBodyLimit::max(COMMAND_BYTES_MAX))
        .fallback(async || Problem(StatusCode::NOT_FOUND, "there is no such page; `/` lists what there is".to_owned()))
        .with_state(admin)
}

/// Old keys are no reason to be given no more requests: there is nobody who has newer ones.
async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    if admin.ready.load(Ordering::Relaxed) {
        let mut status = json!({"status": "ready"});
        if let Some(keys) = &admin.keys {
            status["keys"] = json!(keys.state().standing());
        }
        Json(status).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "draining"}))).into_response()
    }
}

/// What the host counts for itself.
impl Admin {
    pub fn tell_usage(&self) {
        let (instances, memory_bytes) =
            self.usage.as_ref().map_or((0, 0), |usage| (usage.instances(), usage.memory_bytes()));
        self.metrics.show.candidate_instances.set(instances as i64);
        self.metrics.show.candidate_memory_bytes.set(memory_bytes as i64);
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    admin.tell_usage();
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, OPENMETRICS)], admin.metrics.text()).into_response()
}

async fn status(State(admin): State<Arc<Admin>>) -> Result<Json<serde_json::Value>, Problem> {
    let state = admin.shift.state();
    let mut status =
        serde_json::to_value(admin.metrics.snapshot()).map_err(|error| Problem::internal(&error.into()))?;
    status["phase"] = json!(state.phase);
    status["weight_ppm"] = json!(state.weight_ppm);
    status["shift"] = shift::status(&admin.shift, &admin.weight);
    status["recording"] = json!(admin.recording.now());
    status["keys"] = json!(admin.keys.as_ref().map(|keys| keys.state()));
    Ok(Json(status))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiffsQuery {
    #[serde(default)]
    samples: Option<AllSamples>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AllSamples {
    All,
}

async fn diffs(
    State(admin): State<Arc<Admin>>,
    query: Result<Query<DiffsQuery>, QueryRejection>,
) -> Result<Json<Vec<Finding>>, Problem> {
    let Query(query) =
        query.map_err(|error| Problem(error.status(), format!("{error}; send ?samples=all or nothing")))?;
    let samples = query.samples.map_or(Samples::One, |AllSamples::All| Samples::All);
    Ok(Json(read(admin, move |store, base| finding::findings(store, samples, base, now_ms())).await?))
}

async fn endpoints(State(admin): State<Arc<Admin>>) -> Result<Json<Vec<EndpointCount>>, Problem> {
    Ok(Json(read(admin, |store, _| store.endpoints()).await?))
}

async fn diff(State(admin): State<Arc<Admin>>, Path(id): Path<i64>) -> Result<Json<Finding>, Problem> {
    let found = read(admin, move |store, base| finding::finding(store, id, base, now_ms())).await?;
    found.map(Json).ok_or_else(|| {
        Problem(StatusCode::NOT_FOUND, format!("there is no finding {id}; `shadow-proxy diffs` lists them"))
    })
}

async fn judgement(State(admin): State<Arc<Admin>>) -> Result<Json<gate::Judgement>, Problem> {
    let policy = admin.gate.clone();
    Ok(Json(read(admin, move |store, _| super::gate::judgement(store, &policy, now_ms())).await?))
}

async fn accept(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<i64>,
    body: Result<Json<Acceptance>, JsonRejection>,
) -> Result<Json<Accepted>, Problem> {
    let Json(acceptance) =
        body.map_err(|error| Problem(error.status(), format!("{error}; send {{\"who\":\"…\",\"why\":\"…\"}}")))?;
    let accepted = tokio::task::spawn_blocking(move || admin.rules.accept(id, &acceptance)).await;
    let accepted = accepted.map_err(|error| Problem::internal(&error.into()))?.map_err(|error| match error {
        NotAccepted::Unknown(_) => Problem(StatusCode::NOT_FOUND, error.to_string()),
        NotAccepted::Refused(refusal) => {
            Problem(StatusCode::UNPROCESSABLE_ENTITY, format!("{refusal} ({})", refusal.code()))
        }
        NotAccepted::Wrong(reason) => Problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
        NotAccepted::Failed(error) => Problem::internal(&error),
    })?;
    tracing::info!(finding = id, rule = accepted.rule, "a finding was accepted");
    Ok(Json(accepted))
}

async fn rules(State(admin): State<Arc<Admin>>) -> Result<Json<Vec<Reviewed>>, Problem> {
    let comparer = admin.rules.comparer().load_full();
    Ok(Json(read(admin, move |store, _| finding::rules(store, &comparer.rules, now_ms())).await?))
}

/// Reads the store on a thread that may wait for the disk.
pub async fn read<T: Send + 'static>(
    admin: Arc<Admin>,
    read: impl FnOnce(&Store, &str) -> anyhow::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let result = tokio::task::spawn_blocking(move || read(&Store::open(&admin.data)?, &admin.base)).await;
    result.map_err(anyhow::Error::from).and_then(|result| result).map_err(|error| Problem::internal(&error))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightCommand {
    ppm: u32,
    who: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    who: String,
    why: String,
}

async fn weight(
    State(admin): State<Arc<Admin>>,
    body: Result<Json<WeightCommand>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(WeightCommand { ppm, who, why }) = body.map_err(|error| {
        Problem(error.status(), format!("{error}; send {{\"ppm\":10000,\"who\":\"…\",\"why\":\"…\"}}"))
    })?;
    if ppm > ALL_PPM {
        return Err(Problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("ppm {ppm} is more than the whole traffic; send 0 to {ALL_PPM}"),
        ));
    }
    command(&admin, Verb::Weight(ppm), who, why).await
}

async fn order(
    State(admin): State<Arc<Admin>>,
    body: Result<Json<Order>, JsonRejection>,
    verb: Verb,
) -> Result<Response, Problem> {
    let Json(Order { who, why }) =
        body.map_err(|error| Problem(error.status(), format!("{error}; send {{\"who\":\"…\",\"why\":\"…\"}}")))?;
    command(&admin, verb, who, why).await
}

/// Waits until it is journalled and in force.
async fn command(admin: &Admin, verb: Verb, who: String, why: String) -> Result<Response, Problem> {
    if who.trim().is_empty() || why.trim().is_empty() {
        return Err(Problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "who and why are written into the journal; give both".to_owned(),
        ));
    }
    match admin.shift.command(Command { verb, who, why }).await {
        Answer::Done(entry) => Ok(Json(shift::changed(&entry)).into_response()),
        Answer::Refused(reasons) => Err(Problem(StatusCode::CONFLICT, reasons.join("; "))),
        Answer::Failed(error) => Err(Problem::internal(&error)),
    }
}

async fn present(State(admin): State<Arc<Admin>>) -> Json<serde_json::Value> {
    Json(shift::present(&admin.shift, &admin.plan, &admin.weight))
}

async fn explained(State(admin): State<Arc<Admin>>, Path(epoch): Path<String>) -> Result<Json<Explained>, Problem> {
    let wanted = if epoch == "last" { Ok(None) } else { epoch.parse().map(Some) };
    let wanted = wanted.map_err(|_| {
        Problem(StatusCode::BAD_REQUEST, format!("`{epoch}` is no decision; send its number, or `last`"))
    })?;
    let found = tokio::task::spawn_blocking(move || journal::find(&admin.data, wanted)).await;
    let found = found.map_err(anyhow::Error::from).and_then(|found| found);
    let entry = found.map_err(|error| Problem::internal(&error))?;
    let entry = entry.ok_or_else(|| Problem(StatusCode::NOT_FOUND, shift::no_decision(wanted)))?;
    Ok(Json(Explained::of(entry)))
}

async fn may_go(State(admin): State<Arc<Admin>>) -> Json<Farewell> {
    let present = admin.shift.present();
    Json(decommission::judge(&present.state, &admin.plan, &present.input))
}
