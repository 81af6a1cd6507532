//! The end, once no client waits any more.

use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::shadow::record::Recorder;
use crate::shift::controller::Controls;

/// What ends after the last request, in this order.
pub struct Ending {
    pub workers: Vec<JoinHandle<()>>,
    pub fronts_running: oneshot::Sender<()>,
    pub compared: [Option<JoinHandle<()>>; 2],
    pub recorder: Recorder,
    pub controls: Controls,
}

impl Ending {
    /// A thread that panicked has said so; the others still end in order.
    pub fn wait(self, last: [JoinHandle<()>; 2]) {
        for worker in self.workers {
            let _ = worker.join();
        }
        drop(self.fronts_running);
        for thread in self.compared.into_iter().flatten() {
            let _ = thread.join();
        }
        self.recorder.end();
        self.controls.end();
        for thread in last {
            let _ = thread.join();
        }
    }
}
