//! Server-sent events, whole and cut in two: the same events.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_core::stream::sse::{Decoder, Event};

fuzz_target!(|bytes: &[u8]| {
    let (first, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (usize::from(*first), rest));
    let read = |chunks: &[&[u8]]| {
        let mut decoder = Decoder::new(1 << 12);
        let mut events = Vec::new();
        let mut emit = |event: Event<'_>| events.push(format!("{event:?}"));
        let result = chunks.iter().try_for_each(|chunk| decoder.push(chunk, &mut emit));
        let result = result.and_then(|()| decoder.finish(&mut emit));
        result.map(|()| events)
    };
    let cut = first.min(rest.len());
    let (whole, parts) = (read(&[rest]), read(&[&rest[..cut], &rest[cut..]]));
    if let (Ok(whole), Ok(parts)) = (whole, parts) {
        assert_eq!(whole, parts);
    }
});
