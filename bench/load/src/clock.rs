//! One clock for both processes, timers on it that are finer than a millisecond, and instants written into texts.

use std::io;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Nanoseconds since the machine's start, the same in every process.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

pub const SECOND: u64 = 1_000_000_000;

/// `seconds` in nanoseconds.
pub fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// A timer of the kernel's.
pub struct Timer(AsyncFd<rustix::fd::OwnedFd>);

impl Timer {
    #[allow(
        deprecated,
        reason = "an owned descriptor can't be closed behind its back; its successor would be unsafe code"
    )]
    pub fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    /// Waits until the clock shows `instant`.
    pub async fn until(&self, instant: u64) -> io::Result<()> {
        if instant <= now() {
            return Ok(());
        }
        let at = Timespec {
            tv_sec: i64::try_from(instant / SECOND).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(instant % SECOND).unwrap_or_default(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
        let mut ready = self.0.readable().await?;
        ready.clear_ready();
        Ok(())
    }
}

/// The length of an instant in a text.
const LENGTH: usize = 14;
const MASK: u64 = (1 << 48) - 1;

/// The instant as a word of letters, which no rule takes for a number of somebody's, and a space.
pub fn mark(instant: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"zq");
    out.extend((0..12).rev().map(|digit| b'a' + ((instant & MASK) >> (4 * digit) & 15) as u8));
    out.push(b' ');
}

/// Calls `found` with how long ago each instant in `text` was. Returns how much of the text has been read: the rest has to
/// come again with what follows it.
pub fn marks(text: &[u8], now: u64, mut found: impl FnMut(u64)) -> usize {
    let mut read = 0;
    while let Some(at) = text.get(read..).and_then(|rest| memchr::memmem::find(rest, b"zq")) {
        let begin = read + at;
        let Some(letters) = text.get(begin + 2..begin + LENGTH) else {
            return begin;
        };
        if letters.iter().all(|letter| (b'a'..b'q').contains(letter)) {
            let sent = letters.iter().fold(0, |value, letter| value << 4 | u64::from(letter - b'a'));
            found(now.wrapping_sub(sent) & MASK);
            read = begin + LENGTH;
        } else {
            read = begin + 2;
        }
    }
    // A mark may begin with the last byte.
    read.max(text.len() - usize::from(text.ends_with(b"z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_wherever_it_is_cut() {
        let mut text = b"data: zq".to_vec();
        for instant in [5, 77, MASK - 3] {
            mark(instant, &mut text);
        }
        for cut in 0..text.len() {
            let mut ages = Vec::new();
            let read = marks(&text[..cut], 100, |age| ages.push(age));
            marks(&text[read..], 100, |age| ages.push(age));
            assert_eq!(ages, [95, 23, 104], "cut at {cut}");
        }
    }
}
