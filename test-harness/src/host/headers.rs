//! A header map as Envoy keeps it: lower-case names, pseudo-headers first, order of insertion, repeats allowed.

/// Header or trailer fields in order. Values are bytes; most tests read them as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMap {
    fields: Vec<(String, Vec<u8>)>,
}

/// Fields that Envoy keeps in one slot each: a repeat is appended to the first with a comma
/// (`envoy/http/header_map.h`, the inline headers).
const SINGLE: &[&str] = &[
    ":authority",
    ":method",
    ":path",
    ":protocol",
    ":scheme",
    ":status",
    "client-trace-id",
    "connection",
    "content-length",
    "content-type",
    "date",
    "expect",
    "grpc-message",
    "grpc-status",
    "grpc-timeout",
    "host",
    "keep-alive",
    "location",
    "proxy-connection",
    "proxy-status",
    "server",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];

impl HeaderMap {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// A map of these fields.
    pub fn of<const N: usize>(fields: [(&str, &str); N]) -> Self {
        fields.into_iter().collect()
    }

    /// The first value of a field, as text; `None` where it is absent or not UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The first value of a field.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        let name = name.to_ascii_lowercase();
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_slice())
    }

    /// Every value of a field, in order.
    pub fn get_all(&self, name: &str) -> Vec<&[u8]> {
        let name = name.to_ascii_lowercase();
        self.fields.iter().filter(|(field, _)| *field == name).map(|(_, value)| value.as_slice()).collect()
    }

    /// Whether the field is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// Adds a field and keeps earlier ones of that name; those of one slot are joined with a comma.
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let name = name.to_ascii_lowercase();
        if (SINGLE.contains(&name.as_str()) || name.starts_with("x-envoy-"))
            && let Some((_, held)) = self.fields.iter_mut().find(|(field, _)| *field == name)
        {
            held.push(b',');
            held.extend_from_slice(value.as_ref());
            return;
        }
        let position = if name.starts_with(':') {
            self.fields.iter().take_while(|(field, _)| field.starts_with(':')).count()
        } else {
            self.fields.len()
        };
        self.fields.insert(position, (name, value.as_ref().to_vec()));
    }

    /// Removes every field of that name, then adds this one.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every field of that name.
    pub fn remove(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        self.fields.retain(|(field, _)| *field != name);
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.fields.clear();
    }

    /// How many fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The bytes of all names and values, which is what Envoy answers as the size of a map.
    pub fn byte_size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The fields with their values as text, invalid UTF-8 replaced: for messages and snapshots.
    pub fn to_text(&self) -> Vec<(String, String)> {
        self.iter()
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect()
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut map = Self::new();
        for (name, value) in fields {
            map.add(name.as_ref(), value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_kept_except_in_one_slot_fields() {
        let mut map = HeaderMap::of([("B", "1"), (":path", "/"), ("b", "2"), ("Content-Type", "x")]);
        map.add("content-type", "y");
        assert_eq!(map.get("b"), Some("1"));
        assert_eq!(map.get_all("b"), [b"1", b"2"]);
        assert_eq!(map.get("content-type"), Some("x,y"));
        assert_eq!(map.iter().next(), Some((":path", b"/".as_slice())));
        map.set("b", "3");
        assert_eq!(map.get_all("b"), [b"3"]);
        assert_eq!(map.byte_size(), ":path/content-typex,yb3".len());
    }
}
