//! What an answer decides about the credential.

use serde_json::Value;

use crate::exchange::{Answer, Decision};

/// How an answer is read as a decision where its status alone does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decisions {
    /// Top-level boolean fields of a JSON body: one that is `false` makes a 2xx a deny.
    pub names: Vec<String>,
    /// Statuses that refuse the credential.
    pub denies: Vec<u16>,
    /// Endpoints, as `Endpoints` names them without the method, whose 2xx lets nobody in.
    pub neither: Vec<String>,
}

impl Default for Decisions {
    fn default() -> Self {
        Decisions {
            names: ["valid", "active"].map(str::to_owned).into(),
            denies: vec![401, 403, 407],
            neither: ["/healthz", "/readyz"].map(str::to_owned).into(),
        }
    }
}

impl Decisions {
    /// 5xx is an error; the configured statuses refuse the credential; 2xx lets it in unless its body or its endpoint
    /// says otherwise; all others decide nothing about it (404, 304, but also 400, which refuses the request).
    pub(crate) fn of(&self, answer: &Answer, json: Option<&Value>, endpoint: &str) -> Decision {
        match answer.status.as_u16() {
            500.. => Decision::Error,
            status if self.denies.contains(&status) => Decision::Deny,
            200..300 if self.guards_nothing(endpoint) => Decision::Neither,
            200..300 if self.says_no(json) => Decision::Deny,
            200..300 => Decision::Allow,
            _ => Decision::Neither,
        }
    }

    fn says_no(&self, json: Option<&Value>) -> bool {
        let Some(Value::Object(object)) = json else { return false };
        self.names.iter().any(|name| object.get(name) == Some(&Value::Bool(false)))
    }

    fn guards_nothing(&self, endpoint: &str) -> bool {
        let path = endpoint.split_once(' ').map_or(endpoint, |(_, path)| path);
        self.neither.iter().any(|neither| neither == path)
    }
}
