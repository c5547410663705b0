//! Which ASCII character another one looks like or means.

/// The ASCII character that a character is, means, or is easily taken for. `None` where there is none.
pub fn fold(character: char) -> Option<u8> {
    if character.is_ascii() {
        return u8::try_from(character).ok();
    }
    let code = u32::from(character);
    let offset = |first: u32, base: u8| u8::try_from(code - first).ok().map(|offset| base + offset);
    match code {
        // Full-width forms, and the letters and digits of mathematics.
        0xFF01..=0xFF5E => offset(0xFF01, b'!'),
        0x1D400..=0x1D6A3 => letter((code - 0x1D400) % 52),
        0x1D7CE..=0x1D7FF => u8::try_from((code - 0x1D7CE) % 10).ok().map(|digit| b'0' + digit),
        // Circled letters and digits.
        0x24B6..=0x24CF => offset(0x24B6, b'A'),
        0x24D0..=0x24E9 => offset(0x24D0, b'a'),
        0x2460..=0x2468 => offset(0x2460, b'1'),
        0x24EA => Some(b'0'),
        // Superscripts and subscripts.
        0xB9 => Some(b'1'),
        0xB2 | 0xB3 => offset(0xB0, b'0'),
        0x2070 | 0x2074..=0x2079 => offset(0x2070, b'0'),
        0x2080..=0x2089 => offset(0x2080, b'0'),
        0xC0..=0x17F => LATIN.get(usize::try_from(code - 0xC0).ok()?).copied().filter(|byte| *byte != b'.'),
        _ => digit(code).or_else(|| look_alike(character)),
    }
}

/// Whether a character takes no room, so that it can stand within a word unseen.
pub fn is_invisible(character: char) -> bool {
    matches!(
        u32::from(character),
        0xAD | 0x34F | 0x61C | 0x180E
            | 0x300..=0x36F     // accents of their own
            | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2064 | 0x2066..=0x206F
            | 0x20E3 | 0xFE00..=0xFE0F | 0xFEFF
            | 0xE0000..=0xE01EF // tags and variations
    )
}

fn letter(number: u32) -> Option<u8> {
    let number = u8::try_from(number).ok()?;
    Some(if number < 26 { b'A' + number } else { b'a' + number - 26 })
}

/// Digits of scripts in use.
fn digit(code: u32) -> Option<u8> {
    const ZEROS: [u32; 14] =
        [0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0x17E0];
    let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code))?;
    u8::try_from(code - zero).ok().map(|digit| b'0' + digit)
}

/// Latin letters with accents, from U+00C0 to U+017F, without them. A dot: none.
const LATIN: &[u8; 192] = b"AAAAAAACEEEEIIIIDNOOOOO.OUUUUYTsaaaaaaaceeeeiiiidnooooo.ouuuuyty\
AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

fn look_alike(character: char) -> Option<u8> {
    Some(match character {
        // Cyrillic, Greek and Armenian letters.
        'А' | 'Α' => b'A',
        'В' | 'Β' => b'B',
        'С' | 'Ϲ' => b'C',
        'Е' | 'Ε' => b'E',
        'Н' | 'Η' => b'H',
        'І' | 'Ι' | 'Ӏ' => b'I',
        'Ј' => b'J',
        'К' | 'Κ' => b'K',
        'М' | 'Μ' => b'M',
        'Ν' => b'N',
        'О' | 'Ο' | 'Օ' => b'O',
        'Р' | 'Ρ' => b'P',
        'Ѕ' => b'S',
        'Т' | 'Τ' => b'T',
        'Х' | 'Χ' => b'X',
        'У' | 'Υ' => b'Y',
        'Ζ' => b'Z',
        'а' | 'α' => b'a',
        'с' | 'ϲ' => b'c',
        'ԁ' => b'd',
        'е' => b'e',
        'һ' => b'h',
        'і' | 'ι' => b'i',
        'ј' => b'j',
        'к' | 'κ' => b'k',
        'ո' => b'n',
        'о' | 'ο' | 'օ' => b'o',
        'р' | 'ρ' => b'p',
        'ԛ' => b'q',
        'ѕ' => b's',
        'ս' => b'u',
        'ν' => b'v',
        'ԝ' => b'w',
        'х' | 'χ' => b'x',
        'у' => b'y',
        // Spaces, lines and dashes, dots, slashes, quotation marks.
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => b' ',
        '\u{85}' | '\u{2028}' | '\u{2029}' => b'\n',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' | '\u{FE58}' | '\u{FE63}' => b'-',
        '\u{2024}' | '\u{B7}' | '\u{2027}' | '\u{2219}' | '\u{30FB}' => b'.',
        '\u{2044}' | '\u{2215}' => b'/',
        '\u{2018}'..='\u{201B}' => b'\'',
        '\u{201C}'..='\u{201F}' => b'"',
        '\u{2236}' | '\u{A789}' => b':',
        '\u{FE6B}' => b'@',
        _ => return None,
    })
}
