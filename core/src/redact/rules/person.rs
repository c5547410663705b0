//! What tells of a person without being an identifier.

use super::prelude::*;

const BORN: &[&str] = &["born", "dob", "d.o.b", "date of birth", "birth*", "geboren*", "geburtsdatum", "nee le", "ne le", "naissance", "nacimiento", "nascita", "nascimento"];

pub static RULES: &[Rule] = &[
    Rule {
        name: "date_of_birth",
        label: "DATE_OF_BIRTH",
        packs: &[Pii, Hipaa, Gdpr],
        on: true,
        rank: NEAR,
        patterns: &[
            Pattern::new(r"\d{4}[/.-]\d{1,2}[/.-]\d{1,2}|\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})").check(text::date).near(BORN).apart(".-/:", ".-/:"),
            Pattern::new(r"(?i)(?:\d{1,2}(?:st|nd|rd|th|\.)? )?(?:of )?(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|januar|februar|marz|mai|juni|juli|oktober|dezember)\.? (?:\d{1,2}(?:st|nd|rd|th)?,? )?(?:of )?(?:18|19|20)\d{2}")
                .near(BORN),
        ],
    },
    Rule {
        name: "passport",
        label: "PASSPORT",
        packs: &[Pii, Hipaa, Gdpr],
        on: true,
        rank: NEAR,
        patterns: &[
            Pattern::new(r"(?i)(?:[a-z]{1,2} ?)?\d{6,9}|[cfghjklmnprtvwxyz0-9]{1,3}\d[cfghjklmnprtvwxyz0-9]{5}\d?")
                .check(has_digits)
                .near(&["passport*", "reisepass*", "passeport*", "pasaporte*", "passaporto*", "paspoort*", "passnummer"])
                .apart(".-", ".-"),
        ],
    },
    Rule {
        name: "vin",
        label: "VIN",
        packs: &[Hipaa],
        on: true,
        rank: SURE,
        patterns: &[Pattern::new(r"[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}").check(vin)],
    },
    Rule {
        name: "person_name",
        label: "PERSON_NAME",
        packs: &[Pii, Hipaa, Gdpr],
        on: false,
        rank: VAGUE,
        patterns: &[
            Pattern::new(r"[A-Z][A-Za-z'-]{1,20}(?: [A-Z]\.)?(?: (?:van|von|de|der|den|da|di|la|le|bin|al))?(?: [A-Z][A-Za-z'-]{1,20}){0,2}")
                .check(is_name)
                .near(&["mr", "mrs", "ms", "miss", "dr", "prof", "sir", "herr", "frau", "mme", "my name is", "name is", "i am called", "signed", "regards", "dear", "patient", "name"]),
        ],
    },
    Rule {
        name: "street_address",
        label: "STREET_ADDRESS",
        packs: &[Pii, Hipaa, Gdpr],
        on: false,
        rank: VAGUE,
        patterns: &[
            Pattern::new(r"\d{1,5}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[A-Z0-9][A-Za-z0-9'.-]{0,20} ){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Parkway|Pkwy|Highway|Hwy|Circle|Crescent|Close|Grove|Gardens|Row|Walk|Alley|Trail|Loop|Plaza|Crossing|Ridge|Run|Pike)\.?(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|#)\.? ?[A-Za-z0-9-]{1,6})?(?:,? (?:[A-Z][A-Za-z.'-]{1,20} ?){1,3})?(?:,? [A-Z]{2} \d{5}(?:-\d{4})?)?"),
            Pattern::new(r"[A-Z][A-Za-z-]{1,24}(?:strasse|straat|str\.|gasse|platz|allee|weg|gatan|vagen|tie|katu|veien|gade|vej|laan|plein) \d{1,4} ?[a-z]?(?:,? \d{4,5} [A-Z][A-Za-z-]{2,24})?"),
            Pattern::new(r"(?:\d{1,4}(?: ?bis| ?ter)?,? )?(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Pp]lace|[Cc]hemin|Via|Viale|Piazza|Corso|Calle|Avenida|Plaza|Paseo|Rua|Travessa|ul\.) (?:(?:de|du|des|della|delle|dei|del|la|le|les|los|las|da|do|dos|di|d') ?){0,3}(?:[A-Z][A-Za-z'-]{1,20} ?){1,3},? ?\d{0,5}"),
            Pattern::new(r"(?i)p\.? ?o\.? box \d{1,6}"),
        ],
    },
];

fn has_digits(text: &[u8]) -> bool {
    text.iter().filter(|byte| byte.is_ascii_digit()).count() >= 4
}

fn vin(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_alphabetic) && national::vin(text)
}

/// Words that begin sentences are no names.
fn is_name(text: &[u8]) -> bool {
    const WORDS: [&str; 30] = [
        "The", "This", "That", "There", "These", "It", "He", "She", "We", "You", "They", "And", "But", "Or", "If", "In", "On", "At", "Is", "Are", "My", "Your", "What", "When",
        "Where", "How", "Why", "Please", "Sir", "Madam",
    ];
    let first = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    !WORDS.iter().any(|word| word.as_bytes() == first)
}

#[cfg(test)]
pub static EXAMPLES: &[Examples] = &[
    Examples {
        hits: &["DOB: «1980-02-29»", "born on «3 March 1981»", "date of birth «10/23/1951»", "She was born «March 3rd, 1980»"],
        misses: &["on 1980-02-29", "born in 1980", "DOB 1980-13-29"],
    },
    Examples { hits: &["passport «X1234567»", "Passport No. «123456789»", "Reisepass «C01X00T47»"], misses: &["X1234567", "passport office 12"] },
    Examples { hits: &["«1HGCM82633A004352»"], misses: &["1HGCM82633A004353"] },
    Examples { hits: &["Mr. «John Smith»", "my name is «Ana de Souza»"], misses: &["the quick Brown fox", "New York"] },
    Examples { hits: &["at «221B Baker Street»", "«12 rue de la Paix»", "«P.O. Box 123»"], misses: &["10 items in a row", "5 stars"] },
];
