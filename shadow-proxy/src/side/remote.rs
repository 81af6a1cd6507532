//! A candidate elsewhere, `--candidate-url`: never on the client's path unless it is given a weight.

use http::Uri;
use reqwest::redirect::Policy;

use crate::exchange::{Answer, Call, Failed};

use super::legacy::{Legacy, LegacyLimits};
use super::tls::{Tls, Trust};

/// Asked in the same way as legacy, byte for byte.
#[derive(Clone)]
pub struct Remote(Box<Legacy>);

impl Remote {
    /// # Errors
    /// The authorities that its certificate is checked with cannot be read.
    pub fn new(origin: &Uri, limits: LegacyLimits, trust: &Trust) -> anyhow::Result<Remote> {
        let tls = Tls::to(origin, trust)?;
        Ok(Remote(Box::new(Legacy::new(origin.clone(), limits, tls))))
    }

    pub async fn call(&self, call: &Call) -> Result<Answer, Failed> {
        self.0.call(call).await
    }
}

/// Takes the answer as it is: nothing followed, decoded, remembered, or sent through a proxy of the environment.
pub fn plain_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(Policy::none()).no_gzip().no_proxy().http1_only().tcp_nodelay(true)
}
