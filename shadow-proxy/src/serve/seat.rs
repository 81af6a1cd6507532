//! Which thread serves a connection: the one with the fewest, whichever accepted it.
//!
//! Left to the kernel, a few connections of a pool can all end on one thread, and their requests wait for each other
//! while another core idles.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// A client's connection, bound to no thread yet.
pub struct Accepted {
    pub stream: std::net::TcpStream,
    pub peer: IpAddr,
    /// Its place among `connections_max`.
    pub place: OwnedSemaphorePermit,
}

/// An accepted connection with the seat it counts for.
pub struct Seated {
    pub accepted: Accepted,
    pub open: Open,
}

/// One thread's seat. What others accepted for it comes by `handed_over`, which `connections_max` bounds.
pub struct Seat {
    index: usize,
    all: Arc<[Others]>,
    pub handed_over: mpsc::UnboundedReceiver<Seated>,
}

/// What the other threads see of a seat.
struct Others {
    open: AtomicUsize,
    hand_over: mpsc::UnboundedSender<Seated>,
}

/// Counts a connection for a seat as long as it lives.
pub struct Open {
    all: Arc<[Others]>,
    index: usize,
}

pub fn seats(number: usize) -> Vec<Seat> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..number).map(|_| mpsc::unbounded_channel()).unzip();
    let all: Arc<[Others]> =
        senders.into_iter().map(|hand_over| Others { open: AtomicUsize::new(0), hand_over }).collect();
    let seat = |(index, handed_over)| Seat { index, all: all.clone(), handed_over };
    receivers.into_iter().enumerate().map(seat).collect()
}

impl Seat {
    /// The connection when this thread is to serve it; else it is on its way to the thread that is.
    pub fn keep_or_hand_over(&self, accepted: Accepted) -> Option<Seated> {
        let open = |index: usize| self.all[index].open.load(Ordering::Relaxed);
        // Its own seat first among equals: handing over costs a wake-up.
        let others = (0..self.all.len()).filter(|&index| index != self.index);
        let least = others.fold(self.index, |least, index| if open(index) < open(least) { index } else { least });
        self.all[least].open.fetch_add(1, Ordering::Relaxed);
        let seated = Seated { accepted, open: Open { all: self.all.clone(), index: least } };
        if least == self.index {
            return Some(seated);
        }
        // A thread that has ended takes nothing more; the process is about to end then.
        self.all[least].hand_over.send(seated).err().map(|refused| refused.0)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.all[self.index].open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use tokio::sync::Semaphore;

    use super::*;

    #[test]
    fn the_thread_with_the_fewest_connections_gets_the_next() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let places = Arc::new(Semaphore::new(100));
        let accepted = || Accepted {
            stream: TcpStream::connect(listener.local_addr().unwrap()).unwrap(),
            peer: Ipv4Addr::LOCALHOST.into(),
            place: places.clone().try_acquire_owned().unwrap(),
        };
        let mut seats = seats(3);
        // All are accepted by the first thread.
        let kept: Vec<_> = (0..9).filter_map(|_| seats[0].keep_or_hand_over(accepted())).collect();
        let mut handed_over = |index: usize| std::iter::from_fn(|| seats[index].handed_over.try_recv().ok()).collect();
        let (second, third): (Vec<_>, Vec<_>) = (handed_over(1), handed_over(2));
        assert_eq!((kept.len(), second.len(), third.len()), (3, 3, 3));
        drop(third);
        for _ in 0..3 {
            assert!(seats[0].keep_or_hand_over(accepted()).is_none(), "the third has none");
        }
        assert!(seats[0].keep_or_hand_over(accepted()).is_some());
    }
}
