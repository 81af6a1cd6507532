//! The service as a native program: the yardstick that `cargo ci bench` holds the component against. It has no limits,
//! so it is not meant to be deployed.
//!
//! Prints `ready listen=HOST:PORT` and answers until it is ended.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use auth_component::{Body, BodyDefect, Headers, Service, handle};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready listen={}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = Collected(RefCell::new(body.collect().await?.to_bytes().into()));
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let asked = auth_component::Request {
        method: parts.method.as_str(),
        target,
        headers: &Fields(&parts.headers),
        body: &body,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_secs();
    let answer = handle(&asked, Service::development(), now);
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(answer.body)).expect("the core's headers are valid"))
}

struct Fields<'a>(&'a HeaderMap);

impl Headers for Fields<'_> {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect()
    }
}

struct Collected(RefCell<Vec<u8>>);

impl Body for Collected {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        let bytes = self.0.take();
        if bytes.len() > bytes_max { Err(BodyDefect::TooLong) } else { Ok(bytes) }
    }
}
