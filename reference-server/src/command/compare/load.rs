//! The load: a number of connections that ask for the same thing over and over, and look at every answer.
//!
//! Closed loop: each connection sends its next request when it has the answer to the last. Open loop: requests are due at
//! a fixed rate whatever the server does, and a latency begins when the request was due: a server that stops for a
//! second is charged with what all the requests of that second waited.

mod connection;
mod pace;
mod tally;

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use tokio::{
    runtime::Builder,
    task::LocalSet,
    time::{sleep, timeout},
};

use super::exchange::{Answer, Exchange};

pub(super) use pace::Pace;
pub(super) use tally::{Errors, Tally};

/// How long an answer outside of measurements may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// By how many quarters a measurement may become longer.
const EXTENSIONS: u32 = 20;

/// What is to be asked of whom, and how.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) exchange: Rc<Exchange>,
    pub(super) connections: usize,
    /// Requests in a second, all connections together; without, as many as are answered.
    pub(super) rate: Option<f64>,
}

/// What was seen between the end of the warm-up and the end.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    /// The CPU time of the load itself.
    pub(super) own_cpu: Duration,
}

/// Asks once, outside of any measurement.
///
/// # Errors
/// What keeps the answer from coming.
pub(super) fn ask(address: SocketAddr, exchange: &Exchange) -> Result<Answer, String> {
    let asking = async {
        let mut connection = connection::Connection::open(address).await?;
        connection.answer(connection::request(address, exchange)?).await
    };
    let asking = async { timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err("gives no answer".into())) };
    let runtime = runtime().map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, asking)
}

impl Load {
    /// Makes load for a while that does not count and for one that does. `begin` and `end` are called at the beginning
    /// and the end of the latter, while the load goes on.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn run<B, E>(
        &self,
        warm_up: Duration,
        duration: Duration,
        begin: impl FnOnce() -> B,
        end: impl FnOnce() -> E,
    ) -> io::Result<(Seen, B, E)> {
        let request = connection::request(self.address, &self.exchange).map_err(io::Error::other)?;
        let runtime = runtime()?;
        let local = LocalSet::new();
        let pace = Rc::new(Pace::new(self.rate, self.connections));
        let tally = Tally::shared();
        local.block_on(&runtime, async {
            for number in 0..self.connections {
                let client = connection::Client {
                    number,
                    address: self.address,
                    exchange: self.exchange.clone(),
                    request: request.clone(),
                    pace: pace.clone(),
                    tally: tally.clone(),
                };
                tokio::task::spawn_local(client.work());
            }
            let ticking = pace.clone();
            let ticker = tokio::task::spawn_local(async move { ticking.tick().await });
            at_least(warm_up, &tally, self.connections).await;
            let begun = begin();
            tally.replace(Tally::default());
            let (start, cpu) = (Instant::now(), own_cpu());
            tokio::select! {
                () = at_least(duration, &tally, self.connections) => {}
                Ok(Err(error)) = ticker => return Err(error),
            }
            let (elapsed, own_cpu) = (start.elapsed(), own_cpu().saturating_sub(cpu));
            let mut tally = tally.take();
            let ended = end();
            pace.unanswered(start, start + elapsed).into_iter().for_each(|waited| tally.unanswered(waited));
            Ok((Seen { tally, elapsed, own_cpu }, begun, ended))
        })
    }
}

/// Waits so long, and on if there were not so many answers meanwhile as there are connections: of what takes longer than
/// the time that is given, a shorter measurement would say nothing.
async fn at_least(time: Duration, tally: &Rc<RefCell<Tally>>, answers: usize) {
    sleep(time).await;
    for _ in 0..EXTENSIONS {
        let counted = tally.borrow().answers + tally.borrow().errors.count();
        if counted >= answers as u64 {
            return;
        }
        sleep(time / 4).await;
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The CPU time of this thread, which makes all of the load.
fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
