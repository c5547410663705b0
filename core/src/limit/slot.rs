//! The form in which counters lie in shared memory.
//!
//! A slot has for each subject its length, the subject, the length of its counters, and these: each a [`Mark`], since when it says
//! nothing (seconds since the Unix epoch), its length, and itself. All numbers are varints.

use prost::encoding::{decode_varint, encode_varint};
use sha2::{Digest as _, Sha256};

use super::counter::Counter;

/// By what a limit's counters are told apart from those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark([u8; Mark::BYTES]);

/// What a slot has of one subject.
#[derive(Debug)]
pub(super) struct Entry<'s> {
    pub(super) subject: &'s str,
    /// Where it stands in the slot.
    pub(super) place: std::ops::Range<usize>,
    pub(super) counters: &'s [u8],
}

/// One counter of a subject's.
#[derive(Debug)]
pub(super) struct Marked<'s> {
    pub(super) mark: Mark,
    /// Since when it says nothing.
    pub(super) idle_from: u64,
    pub(super) counter: &'s [u8],
    /// All of this.
    pub(super) bytes: &'s [u8],
}

impl Mark {
    const BYTES: usize = 8;

    pub(super) fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        let mut mark = [0; Self::BYTES];
        mark.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
        Self(mark)
    }
}

/// What a slot has of each of its subjects.
pub(super) fn entries(slot: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = slot;
    std::iter::from_fn(move || {
        let start = slot.len() - rest.len();
        let subject = std::str::from_utf8(take_sized(&mut rest)?).ok()?;
        let counters = take_sized(&mut rest)?;
        Some(Entry { subject, place: start..slot.len() - rest.len(), counters })
    })
}

/// What a slot has of this subject.
pub(super) fn find<'s>(slot: &'s [u8], subject: &str) -> Option<Entry<'s>> {
    entries(slot).find(|entry| entry.subject == subject)
}

/// The counters of a subject.
pub(super) fn marked(counters: &[u8]) -> impl Iterator<Item = Marked<'_>> {
    let mut rest = counters;
    std::iter::from_fn(move || {
        let bytes = rest;
        let (mark, behind) = rest.split_first_chunk()?;
        rest = behind;
        let idle_from = decode_varint(&mut rest).ok()?;
        let counter = take_sized(&mut rest)?;
        let bytes = bytes.get(..bytes.len() - rest.len())?;
        Some(Marked { mark: Mark(*mark), idle_from, counter, bytes })
    })
}

/// Writes what a slot has of a subject.
pub(super) fn write_entry(subject: &str, counters: &[u8], out: &mut Vec<u8>) {
    for part in [subject.as_bytes(), counters] {
        encode_varint(part.len() as u64, out);
        out.extend_from_slice(part);
    }
}

/// Writes a counter of a subject's.
pub(super) fn write_counter(mark: Mark, idle_from: u64, counter: &Counter, out: &mut Vec<u8>) {
    let mut bytes = Vec::with_capacity(48);
    counter.encode(&mut bytes);
    out.extend_from_slice(&mark.0);
    encode_varint(idle_from, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(&bytes);
}

fn take_sized<'s>(rest: &mut &'s [u8]) -> Option<&'s [u8]> {
    let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
    let (part, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(part)
}
