//! Processes that accept from the same sockets take equal shares.
//!
//! The kernel tells all of them of each connection, and the quickest takes it: usually the one that has just taken the
//! last. Connections stay with who has accepted them, so clients that keep theirs would all ask one process. Therefore
//! each notes on a board that all can read how many connections it has, and who has more than another gives that one
//! time to be quicker. One that does not use the time (it may hang, or have all that it may have) is not waited for again
//! until its number changes.

use std::{cmp::Reverse, fs::File, io, os::unix::fs::FileExt as _, time::Duration};

use rustix::fs::{MemfdFlags, memfd_create};
use tokio::time::sleep;

/// How many processes there may be.
const PLACES: usize = 2048;
/// What stands at a place whose process accepts nothing.
const NOBODY: u32 = u32::MAX;
/// A difference that is not worth waiting for.
const SLACK: u32 = 1;
/// How long the others have at once, and how often.
const TURN: Duration = Duration::from_millis(2);
const TURNS: usize = 10;

/// A process's place on the board.
#[derive(Debug)]
pub struct Balance {
    board: File,
    place: usize,
}

impl Balance {
    /// A new board, in memory.
    ///
    /// # Errors
    /// What the system reports.
    pub fn board() -> io::Result<File> {
        let board = File::from(memfd_create("gateway-balance", MemfdFlags::CLOEXEC)?);
        board.write_all_at(&[0xff; 4 * PLACES], 0)?;
        Ok(board)
    }

    /// The place of this number on a board. Two processes must not have the same.
    pub fn new(board: File, place: usize) -> Self {
        Balance { board, place: place % PLACES }
    }

    /// Notes that nobody accepts at this place, any more or yet. A process that was killed cannot do it itself.
    pub fn leave(&self) {
        self.note(NOBODY);
    }

    /// Notes how many connections there are.
    pub(crate) fn note(&self, count: u32) {
        // Without it the shares are less equal, and nothing else is.
        let _ = self.board.write_all_at(&count.to_ne_bytes(), 4 * self.place as u64);
    }

    /// Gives those who have fewer connections time to accept the one that waits. `idle` is the one that did not use it,
    /// with its number of connections then.
    pub(crate) async fn give_way(&self, own: u32, idle: &mut Option<(usize, u32)>) {
        for _ in 0..TURNS {
            match self.fewest(*idle) {
                Some((_, count)) if own > count.saturating_add(SLACK) => sleep(TURN).await,
                _ => return,
            }
        }
        *idle = self.fewest(*idle).or(*idle);
    }

    /// Who has the fewest connections, and how many.
    fn fewest(&self, idle: Option<(usize, u32)>) -> Option<(usize, u32)> {
        let mut board = [0xff; 4 * PLACES];
        self.board.read_at(&mut board, 0).ok()?;
        let counts = board.as_chunks().0.iter().map(|count| u32::from_ne_bytes(*count));
        let others = counts.enumerate().filter(|(place, count)| *place != self.place && *count != NOBODY);
        others.filter(|other| Some(*other) != idle).max_by_key(|(_, count)| Reverse(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(counts: &[u32]) -> Vec<Balance> {
        let board = Balance::board().unwrap();
        let place = |(place, count): (usize, &u32)| {
            let balance = Balance::new(board.try_clone().unwrap(), place);
            balance.note(*count);
            balance
        };
        counts.iter().enumerate().map(place).collect()
    }

    #[test]
    fn the_fewest_are_found_among_those_who_accept() {
        let places = places(&[5, 3, NOBODY, 4]);
        assert_eq!(places[0].fewest(None), Some((1, 3)));
        assert_eq!(places[0].fewest(Some((1, 3))), Some((3, 4)));
        assert_eq!(places[1].fewest(Some((1, 7))), Some((3, 4)));
        places[1].leave();
        assert_eq!(places[0].fewest(None), Some((3, 4)));
    }

    /// Whether this place would wait for another one now.
    async fn waits(balance: &Balance, own: u32, mut idle: Option<(usize, u32)>) -> bool {
        tokio::select! {
            biased;
            () = balance.give_way(own, &mut idle) => false,
            () = std::future::ready(()) => true,
        }
    }

    #[tokio::test]
    async fn who_has_more_waits_and_for_one_that_does_not_use_it_only_once() {
        let places = places(&[5, 0]);
        assert!(!waits(&places[0], SLACK, None).await);
        assert!(waits(&places[0], 5, None).await);
        let mut idle = None;
        places[0].give_way(5, &mut idle).await;
        assert_eq!(idle, Some((1, 0)));
        assert!(!waits(&places[0], 5, idle).await);
        places[1].note(1);
        assert!(waits(&places[0], 5, idle).await);
    }
}
