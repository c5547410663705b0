//! Addresses of hosts and mailboxes.

use std::net::Ipv6Addr;
use std::ops::Range;

/// An IPv4 address that could be somebody's: none of this host, of nowhere, or of everybody.
pub fn ipv4(text: &[u8]) -> bool {
    let mut parts = [0_u8; 4];
    let mut count = 0;
    for part in text.split(|byte| *byte == b'.') {
        let value = std::str::from_utf8(part).ok().and_then(|part| part.parse().ok());
        let (Some(place), Some(value)) = (parts.get_mut(count), value) else { return false };
        if part.len() > 1 && part.first() == Some(&b'0') {
            return false;
        }
        *place = value;
        count += 1;
    }
    count == 4 && !matches!(parts, [0 | 127 | 255, ..])
}

/// An IPv6 address that could be somebody's.
pub fn ipv6(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    // `a::b` is more often a path in a program.
    let telling = groups >= 3 && text.bytes().any(|byte| byte.is_ascii_digit());
    telling
        && text.parse::<Ipv6Addr>().is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
}

/// A hardware address that isn't all zeros or ones.
pub fn mac(text: &[u8]) -> bool {
    let digits: Vec<u8> =
        text.iter().filter(|byte| byte.is_ascii_hexdigit()).map(u8::to_ascii_lowercase).collect();
    let mut joints = text.iter().filter(|byte| !byte.is_ascii_hexdigit());
    let joint = joints.next();
    digits.len() == 12
        && joints.all(|other| Some(other) == joint)
        && !digits.iter().all(|digit| *digit == b'0')
        && !digits.iter().all(|digit| *digit == b'f')
}

/// An e-mail address, and no file or version that has an at sign.
pub fn email(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|byte| *byte == b'@') else { return true };
    let (local, domain) = text.split_at(at);
    let ending = domain.rsplit(|byte| *byte == b'.').next().unwrap_or_default().to_ascii_lowercase();
    let file = [
        "png", "jpg", "jpeg", "gif", "svg", "webp", "js", "mjs", "css", "html", "json", "xml", "yaml", "yml",
        "toml", "txt", "md", "py", "rs", "go", "java", "ts", "jsx", "tsx", "cpp", "local", "service",
    ];
    // `git@host:path` is how repositories are named.
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'.' | b'-' | b'\''));
    local != b"git"
        && !file.iter().any(|name| name.as_bytes() == ending)
        && !edge(local.last())
        && !edge(domain.get(1..).and_then(<[u8]>::first))
}

/// The user and password of a URL, and the host that they are for.
pub fn userinfo(text: &[u8]) -> Option<Range<usize>> {
    let start = text.windows(3).position(|window| window == b"://")? + 3;
    let end = text.iter().rposition(|byte| *byte == b'@')?;
    let colon = text.get(start..end)?.iter().position(|byte| *byte == b':')?;
    let password = text.get(start + colon + 1..end)?;
    // Of variables and examples in angle brackets there is nothing to hide.
    let placeholder =
        matches!(password, [b'$', b'{' | b'(', ..] | [b'{', ..] | [b'<', ..] | [b'*', b'*', ..]);
    (!placeholder).then_some(start..text.len())
}
