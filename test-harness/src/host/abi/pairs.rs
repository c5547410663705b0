//! The serialized form of maps: a count, the sizes of all names and values, then each with a zero byte behind it.

/// Most bytes that the host reads as pairs (`PROXY_WASM_HOST_PAIRS_MAX_BYTES`).
const MOST_BYTES: usize = 1024 * 1024;
/// Most pairs that the host reads (`PROXY_WASM_HOST_PAIRS_MAX_COUNT`).
const MOST_PAIRS: usize = 1024;

/// Writes pairs down; none at all is the empty string of bytes only for headers, which the caller decides.
pub fn serialize<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let mut bytes = (pairs.clone().count() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs.clone() {
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}

/// Reads pairs. Malformed bytes give no pairs at all, which is how Envoy takes them: the call goes on without.
pub fn parse(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    parse_strictly(bytes).unwrap_or_default()
}

fn parse_strictly(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    if bytes.len() > MOST_BYTES {
        return None;
    }
    let mut rest = bytes;
    let count = take_u32(&mut rest)?;
    if count > MOST_PAIRS {
        return None;
    }
    let sizes =
        (0..count).map(|_| Some((take_u32(&mut rest)?, take_u32(&mut rest)?))).collect::<Option<Vec<_>>>()?;
    let pairs = sizes
        .into_iter()
        .map(|(name, value)| Some((take_text(&mut rest, name)?, take_text(&mut rest, value)?)))
        .collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(pairs)
}

fn take_u32(rest: &mut &[u8]) -> Option<usize> {
    let (number, behind) = rest.split_first_chunk::<4>()?;
    *rest = behind;
    Some(u32::from_le_bytes(*number) as usize)
}

fn take_text(rest: &mut &[u8], size: usize) -> Option<Vec<u8>> {
    let (text, behind) = rest.split_at_checked(size)?;
    *rest = behind.strip_prefix(&[0])?;
    Some(text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_back_and_malformed_bytes_give_none() {
        let held = [(b"a".as_slice(), b"1".as_slice()), (b"bc", b"")];
        let bytes = serialize(held.iter().copied());
        assert_eq!(parse(&bytes), [(b"a".to_vec(), b"1".to_vec()), (b"bc".to_vec(), b"".to_vec())]);
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), []);
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(parse(&longer), []);
        assert_eq!(parse(&(1025_u32).to_le_bytes()), []);
    }
}
