//! What an open page costs: CPU of `shadow-proxy run` with the page open and closed in turn, under the same traffic.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::table::{Table, grouped};
use crate::{admin, interrupt};

use super::server::Server;
use super::{Bed, nginx};

const FINDINGS: usize = 500;
const REQUESTS_PER_SECOND: u64 = 1_000;
/// Whatever is asked, the service lets in; the component knows none of these paths.
const ENDPOINTS: usize = 180;
const READY_WITHIN: Duration = Duration::from_secs(60);

impl Bed<'_> {
    pub(super) fn page(&self) -> Result<Table> {
        let legacy = nginx::fast_service(&self.folder)?;
        let names: Vec<String> = (0..ENDPOINTS).map(|n| format!("\"/e{n}\"")).collect();
        let mut proxy = self.proxy_run(&legacy, &format!("[compare]\nendpoints = [{}]\n", names.join(", ")))?;
        let address = proxy.admin()?.to_owned();
        let mut client = TcpStream::connect(&proxy.address)?;
        for n in 0..ENDPOINTS {
            ask(&mut client, "GET", &format!("/e{n}"))?;
        }
        let findings = until_found(&address)?;
        let traffic = Traffic::start(&proxy.address)?;
        let mut rows = Vec::new();
        let mut costs = Vec::new();
        for pair in 0..self.options.pairs {
            eprint!("\rpage: pair {} of {} ", pair + 1, self.options.pairs);
            // Whoever goes second meets a warmer machine: each is second in turn.
            let (closed, open) = if pair % 2 == 0 {
                let closed = self.share(&proxy)?;
                (closed, self.share_watched(&proxy, &address)?)
            } else {
                let open = self.share_watched(&proxy, &address)?;
                (self.share(&proxy)?, open)
            };
            costs.push(open - closed);
            rows.push(vec![format!("{}", pair + 1), percent(closed), percent(open), percent(open - closed)]);
        }
        eprint!("\r");
        let sent = traffic.stop()?;
        let mean = costs.iter().sum::<f64>() / costs.len().max(1) as f64;
        rows.push(vec!["mean".to_owned(), String::new(), String::new(), percent(mean)]);
        proxy.stop()?;
        Ok(Table {
            title: format!(
                "shadow-proxy run under {} requests/s with {findings} findings: CPU as a share of one core, page closed and open",
                grouped(sent)
            ),
            header: vec!["pair", "closed", "open", "the page"],
            rows,
        })
    }

    fn share_watched(&self, proxy: &Server, address: &str) -> Result<f64> {
        let mut events = TcpStream::connect(address)?;
        write!(events, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let reader = events.try_clone()?;
        let read = std::thread::spawn(move || count(reader));
        let share = self.share(proxy);
        events.shutdown(std::net::Shutdown::Both)?;
        let bytes = read.join().map_err(|_| anyhow::anyhow!("the reader of the events panicked"))?;
        ensure!(bytes > 10_000, "the page was sent {bytes} bytes only: it was not kept up to date");
        share
    }

    /// CPU time of the process in a stretch of time, as a share of it.
    fn share(&self, proxy: &Server) -> Result<f64> {
        interrupt::check()?;
        let (before, begun) = (proxy.cpu()?, Instant::now());
        std::thread::sleep(Duration::from_secs(self.options.seconds));
        Ok(proxy.cpu()?.saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64())
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn count(mut events: TcpStream) -> usize {
    let mut buffer = [0; 65_536];
    let mut bytes = 0;
    while let Ok(read @ 1..) = events.read(&mut buffer) {
        bytes += read;
    }
    bytes
}

fn until_found(address: &str) -> Result<usize> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        interrupt::check()?;
        let found = admin::findings(address)?.len();
        if found >= FINDINGS {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "{found} findings came, and {FINDINGS} are wanted; raise ENDPOINTS");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One request over a kept connection, its answer read whole.
fn ask(client: &mut TcpStream, method: &str, path: &str) -> Result<()> {
    write!(
        client,
        "{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key_123\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = client.read(&mut buffer)?;
        ensure!(read > 0, "the proxy closed the connection");
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let length: usize = length.context("an answer without a length")?;
            if body.len() >= length {
                return Ok(());
            }
        }
    }
}

/// The same request again and again, each at its time.
struct Traffic {
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    begun: Instant,
    thread: JoinHandle<Result<()>>,
}

impl Traffic {
    fn start(address: &str) -> Result<Traffic> {
        let mut client = TcpStream::connect(address)?;
        client.set_nodelay(true)?;
        let (is_over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, count, begun) = (is_over.clone(), sent.clone(), Instant::now());
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let due = begun + Duration::from_micros(number * 1_000_000 / REQUESTS_PER_SECOND);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                ask(&mut client, "POST", "/auth/validate")?;
            }
            Ok(())
        });
        Ok(Traffic { is_over, sent, begun, thread })
    }

    /// Requests each second.
    fn stop(self) -> Result<u64> {
        let rate = self.sent.load(Ordering::Relaxed) as f64 / self.begun.elapsed().as_secs_f64();
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the traffic panicked"))??;
        Ok(rate.round() as u64)
    }
}
