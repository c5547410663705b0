//! Seeded changes to bytes and to JSON: what broken, hostile or merely unusual input looks like.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// The same bytes with some of them changed; two changes of three are made to the JSON in them.
pub fn mutate(bytes: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..random.usize(1..3) {
        changed = match random.u8(..12) {
            0 => flip(changed, random),
            1 => delete(changed, random),
            2 => duplicate(changed, random),
            3 => insert(changed, random),
            _ => swap_json(&changed, random).unwrap_or_else(|| flip(changed, random)),
        };
    }
    changed
}

/// The bytes in chunks that are cut anywhere.
pub fn cut<'a>(bytes: &'a [u8], random: &mut Rng) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = (0..random.usize(..6)).map(|_| random.usize(..=bytes.len())).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn range(bytes: &[u8], random: &mut Rng) -> std::ops::Range<usize> {
    let start = random.usize(..=bytes.len());
    let longest = if random.bool() { 4 } else { bytes.len() };
    start..(start + random.usize(..=longest)).min(bytes.len())
}

fn flip(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    if !bytes.is_empty() {
        let place = random.usize(..bytes.len());
        bytes[place] = match random.u8(..3) {
            0 => bytes[place] ^ (1 << random.u8(..8)),
            1 => random.u8(..),
            _ => *random.choice(b"\"\\{}[],:\n\r 0e-\x00\xff\xc3\xed").unwrap(),
        };
    }
    bytes
}

fn delete(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    let range = range(&bytes, random);
    bytes.drain(range);
    bytes
}

fn duplicate(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    let range = range(&bytes, random);
    let copy = bytes[range.clone()].to_vec();
    bytes.splice(range.end..range.end, copy);
    bytes
}

fn insert(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    const WORDS: [&[u8]; 12] = [
        b"\n\n",
        b"\r\n\r\n",
        b"data: ",
        b"event: error\n",
        b"[DONE]",
        b"\xef\xbb\xbf",
        b"\\u0000",
        b"\\ud800",
        b"1e999",
        b"null",
        b"{\"error\":{}}",
        b"\xf0\x9f\x98",
    ];
    let place = random.usize(..=bytes.len());
    bytes.splice(place..place, random.choice(WORDS).unwrap().iter().copied());
    bytes
}

/// Changes one JSON text: the whole, or the data of one event of a stream.
fn swap_json(bytes: &[u8], random: &mut Rng) -> Option<Vec<u8>> {
    if let Ok(mut value) = serde_json::from_slice(bytes) {
        change(&mut value, random);
        return Some(value.to_string().into_bytes());
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let data: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].starts_with("data:")).collect();
    let line = *random.choice(&data)?;
    if random.u8(..4) == 0 {
        // Events may come twice, or in another order.
        let other = *random.choice(&data)?;
        lines.swap(line, other);
    } else if let Ok(mut value) = serde_json::from_str(lines[line]["data:".len()..].trim()) {
        change(&mut value, random);
        lines[line] = format!("data: {value}\n");
    }
    Some(lines.concat().into_bytes())
}

/// Changes one value somewhere inside.
fn change(value: &mut Value, random: &mut Rng) {
    let whole = value.clone();
    change_inside(value, &whole, random);
}

fn change_inside(value: &mut Value, whole: &Value, random: &mut Rng) {
    let deeper = random.u8(..6) != 0;
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let name = random.choice(fields.keys()).unwrap().clone();
            match random.u8(..12) {
                0 => change_fields(fields, &name, random),
                _ => change_inside(&mut fields[&name], whole, random),
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let index = random.usize(..items.len());
            match random.u8(..12) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => change_inside(&mut items[index], whole, random),
            }
        }
        _ => *value = other(whole, random),
    }
}

fn change_fields(fields: &mut Map<String, Value>, name: &str, random: &mut Rng) {
    let held = fields.remove(name).unwrap();
    match random.u8(..3) {
        0 => {}
        1 => drop(fields.insert(format!("{name}_"), held)),
        _ => drop(fields.insert(
            random.choice(["", "error", "type", "role", "\u{0}", "index"]).unwrap().to_owned(),
            held,
        )),
    }
}

/// A value that doesn't belong there: one of these, or one from another place.
fn other(whole: &Value, random: &mut Rng) -> Value {
    let deep = || (0..100).fold(json!(1), |value, _| json!([value]));
    match random.u8(..16) {
        0 => Value::Null,
        1 => json!(random.bool()),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1.5e300),
        5 => json!(""),
        6 => json!("\u{0}\u{1f600}\u{2028}\"\\"),
        7 => json!("x".repeat(5000)),
        8 => json!([]),
        9 => json!({}),
        10 => deep(),
        11 => json!({"error": {"message": 1}}),
        12 => json!(
            random
                .choice(["assistant", "tool", "image_url", "function", "tool_use", "thinking", "error"])
                .unwrap()
        ),
        _ => {
            let mut taken = whole;
            while random.u8(..5) != 0 {
                let inside: Vec<&Value> = match taken {
                    Value::Object(fields) => fields.values().collect(),
                    Value::Array(items) => items.iter().collect(),
                    _ => break,
                };
                match random.choice(inside) {
                    Some(value) => taken = value,
                    None => break,
                }
            }
            taken.clone()
        }
    }
}
