//! Telephone numbers: international, national with a trunk's zero, North American, and others where words tell.

use super::prelude::*;

const NEAR: &[&str] = &[
    "phone*", "tel", "telephone*", "telefon*", "mobile", "mobil", "cell", "cellphone", "cellular", "call", "calling", "callback", "fax", "telefax", "desk",
    "office", "whatsapp", "sms", "text", "texted", "dial", "contact", "ring", "landline", "handy", "handynummer", "rufnummer", "telephone", "portable", "movil", "celular", "telefono",
    "cellulare", "telefoon", "numero", "answering at", "reach", "reached", "reachable", "signal", "hotline", "msisdn", "messages to", "voicemail", "number is",
];
const AFTER: &[&str] = &["office", "fax", "mobile", "home", "work", "cell", "phone", "desk", "tel"];
const UNLESS: &[&str] = &[
    "order", "invoice", "ticket", "card", "account", "iban", "ssn", "passport", "version", "id", "ids", "serial", "isbn", "tracking", "case", "ref", "reference", "issue",
    "call id", "error", "code", "commit", "build", "amount", "total", "port", "line", "lines", "row", "page", "bytes", "size", "timestamp", "zip", "npi", "ein", "routing",
    "doi", "arxiv", "batch", "sku", "part", "licen*", "member", "customer", "invoices", "rfc", "revision",
];

pub static RULES: &[Rule] = &[Rule {
    name: "phone",
    label: "PHONE",
    packs: &[Pii, Hipaa, Gdpr],
    on: true,
    rank: VAGUE,
    patterns: &[
        Pattern::new(r"(?i)\+ ?\(?\d{1,3}(?:[ .()/-]{0,3}\d){5,14}(?: ?(?:x|ext\.?|#) ?\d{1,6})?").check(phone::international),
        Pattern::new(r"(?i)(?:00|011)[ .-]?[1-9]\d{0,2}(?:[ .()/-]{1,3}\d{1,6}){1,6}(?: ?(?:x|ext\.?|#) ?\d{1,6})?")
            .check(phone::international)
            .apart(".,:/-", "."),
        Pattern::new(r"(?i)(?:1[ .-])?\(\d{3}\) ?\d{3}[ .-]?\d{4}(?: ?(?:x|ext\.?|#) ?\d{1,6})?").check(phone::north_american).apart(".:/-", ""),
        Pattern::new(r"(?i)(?:1[.-])?\d{3}[.-]\d{3}[.-]\d{4}(?: ?(?:x|ext\.?|#) ?\d{1,6})?")
            .check(phone::north_american)
            .apart(".,:/-", ".-")
            .unless(UNLESS),
        Pattern::new(r"(?i)(?:1 )?\d{3} \d{3}[ -]\d{4}(?: ?(?:x|ext\.?|#) ?\d{1,6})?")
            .check(phone::north_american)
            .apart(".,:/- ", ".- ")
            .unless(UNLESS),
        Pattern::new(r"\(?0[1-9]\d{0,4}\)?(?:[ ./-]\d{2,8}){1,5}").check(phone::with_trunk).apart(".,:/-", ".:-").unless(UNLESS),
        // Ten digits after a word such as "call", or seven and more in groups.
        Pattern::new(
            r"(?i)\(?\+?\d{1,5}\)?(?:[ ./-]{0,2}\(?\d{1,5}\)?){1,6}(?: ?(?:x|ext\.?|#) ?\d{1,6})?",
        )
        .check(phone::by_context)
        .near(NEAR)
        .apart(".,:/-", ".:/")
        .unless(UNLESS),
        Pattern::new(r"\(?\d{2,5}\)?[ ./-]\(?\d{2,5}\)?(?:[ ./-]\d{2,5}){0,3}")
            .check(phone::by_context)
            .after(AFTER)
            .apart(".,:/-", ".:/")
            .unless(UNLESS),
    ],
}];

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[Examples {
    hits: &[
        "call «+1 (415) 555-2671»",
        "«+14155552671»",
        "«+49 30 901820», «+44 (0)20 7946 0958»",
        "«0033 1 42 68 53 00»",
        "«(415) 555-2671» or «415-555-2671 x22»",
        "«415.555.2671»",
        "reach me on «0171 4567890»",
        "«01 42 68 53 00»",
        "Phone: «4155552671»",
        "My mobile is «60-56-85-91»",
        "«781 1704» office",
        "\"phone_number\": \"«5552671000»\"",
        "«＋１ ４１５ ５５５ ２６７１»",
        "call «+1 415 555\u{a0}2671»",
    ],
    misses: &[
        "2024-01-15 10:20:30",
        "order 415-555-2671",
        "version 10.20.30.4000",
        "1700000000",
        "call f(1000000, 2000000)",
        "pi is 3.14159265358979",
        "0.12 0.34 0.56 0.78",
        "ISBN 978-3-16-148410-0",
        "+999123456789",
        "1 2 3 4 5 6 7 8 9 10",
    ],
}];
