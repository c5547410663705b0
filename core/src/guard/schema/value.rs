//! JSON values as JSON Schema compares them: numbers by their value, members in any order.

use std::cmp::Ordering;
use std::fmt::Write as _;

use crate::policy::Node;

/// Writes a value so that equal ones, and only these, are the same text.
pub(super) fn canonical(value: &Node, out: &mut String) {
    match value {
        Node::Null => out.push_str("null"),
        Node::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        // Writing to a String can't fail.
        Node::Integer(value) => drop(write!(out, "{value}")),
        Node::Number(value) => drop(write!(out, "{value}")),
        Node::Text(text) => out.push_str(&serde_json::to_string(text).unwrap_or_default()),
        Node::List(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Node::Map(members) => {
            let written = |(name, member): &(String, Node)| {
                let mut written = serde_json::to_string(name).unwrap_or_default();
                written.push(':');
                canonical(member, &mut written);
                written
            };
            let mut members: Vec<String> = members.iter().map(written).collect();
            members.sort_unstable();
            out.push('{');
            out.push_str(&members.join(","));
            out.push('}');
        }
    }
}

/// Which of two numbers is greater; `None` where one is none.
pub(super) fn compare(one: &Node, other: &Node) -> Option<Ordering> {
    Some(match (one, other) {
        (Node::Integer(one), Node::Integer(other)) => one.cmp(other),
        (Node::Integer(one), Node::Number(other)) => against(*one, *other)?,
        (Node::Number(one), Node::Integer(other)) => against(*other, *one)?.reverse(),
        (Node::Number(one), Node::Number(other)) => one.partial_cmp(other)?,
        _ => return None,
    })
}

fn against(integer: i64, number: f64) -> Option<Ordering> {
    // Where the double is beyond every such integer, its sign tells; otherwise its whole part is one.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if number.abs() >= BEYOND {
        return 0.0.partial_cmp(&number);
    }
    let whole = number.trunc();
    Some(integer.cmp(&(whole as i64)).then(0.0.partial_cmp(&(number - whole))?))
}

/// Whether a number is a whole one.
pub(super) fn is_integer(value: &Node) -> bool {
    match value {
        Node::Integer(_) => true,
        Node::Number(value) => value.fract() == 0.0,
        _ => false,
    }
}

/// Whether a number is a multiple of another one, both taken for the decimals that they were written as.
pub(super) fn is_multiple(value: &Node, of: &Node) -> bool {
    if let (Node::Integer(value), Node::Integer(of)) = (value, of) {
        return value.checked_rem(*of).is_none_or(|rest| rest == 0);
    }
    let exact = decimal(value).zip(decimal(of)).and_then(|((value, scale), (of, of_scale))| {
        let common = scale.max(of_scale);
        let value = value.checked_mul(10_i128.checked_pow(common - scale)?)?;
        let of = of.checked_mul(10_i128.checked_pow(common - of_scale)?)?;
        Some(value.checked_rem(of)? == 0)
    });
    // Numbers so far apart have no exact quotient in doubles either.
    exact.unwrap_or_else(|| double(value).zip(double(of)).is_some_and(|(value, of)| value % of == 0.0))
}

fn double(value: &Node) -> Option<f64> {
    match value {
        Node::Integer(value) => Some(*value as f64),
        Node::Number(value) => Some(*value),
        _ => None,
    }
}

/// A number as an integer and how many of its digits stand behind the point.
fn decimal(value: &Node) -> Option<(i128, u32)> {
    let text = match value {
        Node::Integer(value) => return Some((i128::from(*value), 0)),
        // The shortest decimal that is this double; never with an exponent.
        Node::Number(value) => value.to_string(),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, u32::try_from(fraction.len()).ok()?))
}
