//! Whether what is kept reaches the disk, for whoever asks.

use std::sync::Mutex;

use serde::Serialize;

use crate::clock::now_ms;

pub struct Standing(Mutex<Recording>);

/// As `/api/status` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recording {
    /// `recording`, or `failing`: then counters wait in memory, and single exchanges are lost.
    pub state: &'static str,
    pub since_ms: u64,
    /// Why it fails.
    pub reason: Option<String>,
}

impl Default for Standing {
    fn default() -> Self {
        Standing(Mutex::new(good()))
    }
}

impl Standing {
    pub fn now(&self) -> Recording {
        self.0.lock().expect("nothing panics while it looks").clone()
    }

    /// Whether that is new.
    pub(super) fn fails(&self, reason: &str) -> bool {
        let mut recording = self.0.lock().expect("nothing panics while it looks");
        let is_new = recording.reason.is_none();
        if is_new {
            *recording = Recording { state: "failing", since_ms: now_ms(), reason: Some(reason.to_owned()) };
        }
        is_new
    }

    pub(super) fn works(&self) {
        *self.0.lock().expect("nothing panics while it looks") = good();
    }
}

fn good() -> Recording {
    Recording { state: "recording", since_ms: now_ms(), reason: None }
}
