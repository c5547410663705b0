//! Identifiers of persons and companies by the rules of the authorities that give them out.

use super::digits::{
    exactly, is_day, is_luhn, is_uniform, number, remainder97, signs, values, verhoeff as verhoeff_digits,
    weighted,
};

/// United States: a social security number that can have been given out.
pub fn ssn(text: &[u8]) -> bool {
    exactly::<9>(text).is_some_and(|digits| {
        let part = |from: usize, to: usize| number(digits.get(from..to).unwrap_or_default());
        let area = part(0, 3);
        let example = matches!(part(0, 9), 78_051_120 | 219_099_999 | 123_456_789);
        area != 0
            && area != 666
            && area < 900
            && part(3, 5) != 0
            && part(5, 9) != 0
            && (!example || text.len() > 9)
            && !is_uniform(&digits)
    })
}

/// United States: an individual taxpayer's number.
pub fn itin(text: &[u8]) -> bool {
    exactly::<9>(text).is_some_and(|digits| {
        let group = number(digits.get(3..5).unwrap_or_default());
        digits.first() == Some(&9) && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
    })
}

/// United States: an employer's number, by the prefixes in use.
pub fn ein(text: &[u8]) -> bool {
    exactly::<9>(text).is_some_and(|digits| {
        let prefix = number(digits.get(..2).unwrap_or_default());
        matches!(prefix, 1..=6 | 10..=16 | 20..=27 | 30..=48 | 50..=68 | 71..=77 | 80..=88 | 90..=95 | 98 | 99)
    })
}

/// United States: a provider of health care, with Luhn's digit behind the prefix 80840.
pub fn npi(text: &[u8]) -> bool {
    exactly::<10>(text).is_some_and(|digits| {
        let all: Vec<u32> = [8, 0, 8, 4, 0].into_iter().chain(digits).collect();
        matches!(digits.first(), Some(1 | 2)) && is_luhn(&all)
    })
}

/// United States: a prescriber's number, with its check digit.
pub fn dea(text: &[u8]) -> bool {
    let digits: Option<[u32; 7]> = text.get(2..).and_then(exactly);
    digits.is_some_and(|digits| {
        weighted(&digits, &[1, 2, 1, 2, 1, 2]) % 10 == digits[6] && !is_uniform(&digits)
    })
}

/// United Kingdom: a national insurance number whose prefix is in use.
pub fn nino(text: &[u8]) -> bool {
    let signs = signs(text);
    !matches!(signs.get(..2), Some(b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ"))
}

/// United Kingdom: a patient's number, modulo 11.
pub fn nhs(text: &[u8]) -> bool {
    exactly::<10>(text).is_some_and(|digits| {
        let check = 11 - weighted(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        check % 11 == digits[9] && !is_uniform(&digits)
    })
}

/// Germany: a taxpayer's number (ISO 7064, MOD 11,10), with one digit twice or three times.
pub fn steuer_id(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|digits| {
        let body = digits.get(..10).unwrap_or_default();
        let most = (0..10).map(|digit| body.iter().filter(|other| **other == digit).count()).max();
        digits[0] != 0 && matches!(most, Some(2 | 3)) && is_mod_11_10(&digits)
    })
}

/// ISO 7064's MOD 11,10.
fn is_mod_11_10(digits: &[u32]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

/// Travel documents' check digit (ICAO 9303), the last one: weights 7, 3, 1.
pub fn icao(text: &[u8]) -> bool {
    let signs = signs(text);
    let Some((check, body)) = signs.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(sign, weight)| char::from(*sign).to_digit(36).unwrap_or(0) * weight)
        .sum();
    char::from(*check).to_digit(10) == Some(sum % 10)
}

/// Germany: a number of pension insurance: area, birthday, letter, serial, check digit.
pub fn rentenversicherung(text: &[u8]) -> bool {
    let signs = signs(text);
    let (Some(head), Some(letter), Some(tail)) = (signs.get(..8), signs.get(8), signs.get(9..12)) else {
        return false;
    };
    let letter = u32::from(letter.saturating_sub(b'A')) + 1;
    let digits = values(head).into_iter().flatten().chain([letter / 10, letter % 10]);
    let digits: Vec<u32> = digits.chain(values(tail).into_iter().flatten()).collect();
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let sum: u32 =
        digits.iter().zip(weights).map(|(digit, weight)| digit * weight / 10 + digit * weight % 10).sum();
    let date =
        |from: usize, to: usize| u32::try_from(number(digits.get(from..to).unwrap_or_default())).unwrap_or(0);
    is_day(date(4, 6), date(2, 4)) && digits.last() == Some(&(sum % 10))
}

/// France: a social security number with its key, modulo 97.
pub fn nir(text: &[u8]) -> bool {
    // Corsica's departments count as numbers.
    let signs = signs(text);
    let (body, corsica) = match signs.get(5..7) {
        Some(b"2A") => (19, 2),
        Some(b"2B") => (18, 2),
        _ => (0, 0),
    };
    let digits: Option<Vec<u32>> = signs
        .iter()
        .enumerate()
        .map(|(place, sign)| match place {
            5 | 6 if corsica > 0 => Some(if place == 5 { body / 10 } else { body % 10 }),
            _ => char::from(*sign).to_digit(10),
        })
        .collect();
    let Some(digits) = digits else { return false };
    let part = |from: usize, to: usize| number(digits.get(from..to).unwrap_or_default());
    let month = part(3, 5);
    digits.len() == 15 && matches!(month, 1..=12 | 20..=42 | 50..=99) && 97 - part(0, 13) % 97 == part(13, 15)
}

/// France: a company's number, or that of one of its places, by Luhn's digit.
pub fn siren(text: &[u8]) -> bool {
    values(text)
        .is_some_and(|digits| matches!(digits.len(), 9 | 14) && is_luhn(&digits) && !is_uniform(&digits))
}

/// Italy: a taxpayer's code with its check letter.
pub fn codice_fiscale(text: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let signs = signs(text);
    let Some((check, body)) = signs.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(place, sign)| {
            let value = match sign {
                b'0'..=b'9' => sign - b'0',
                _ => sign.saturating_sub(b'A'),
            };
            // Places are counted from one.
            if place % 2 == 0 { ODD.get(usize::from(value)).copied().unwrap_or(0) } else { u32::from(value) }
        })
        .sum();
    signs.len() == 16 && sum % 26 == u32::from(check.saturating_sub(b'A'))
}

/// Italy: a company's tax number, by Luhn's digit.
pub fn partita_iva(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|digits| is_luhn(&digits) && !is_uniform(&digits))
}

/// Spain: the number of a citizen's or a foreigner's identity card with its letter.
pub fn dni(text: &[u8]) -> bool {
    let signs = signs(text);
    let Some((letter, body)) = signs.split_last() else { return false };
    let digits: Vec<u32> = body
        .iter()
        .filter_map(|sign| match sign {
            b'X' | b'Y' | b'Z' => Some(u32::from(sign - b'X')),
            _ => char::from(*sign).to_digit(10),
        })
        .collect();
    let place = (number(&digits) % 23) as usize;
    digits.len() == 8 && b"TRWAGMYFPDXBNJZSQVHLCKE".get(place) == Some(letter)
}

/// Netherlands: a citizen's service number, by the test of eleven.
pub fn bsn(text: &[u8]) -> bool {
    exactly::<9>(text).is_some_and(|digits| {
        let sum = weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
        sum % 11 == digits[8] && !is_uniform(&digits)
    })
}

/// Poland: a citizen's number: the birthday, whose month tells the century, and a check digit.
pub fn pesel(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|digits| {
        let sum = weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
        let month = (digits[2] * 10 + digits[3]) % 20;
        is_day(month, digits[4] * 10 + digits[5]) && sum.is_multiple_of(10)
    })
}

/// Poland: a taxpayer's number, modulo 11.
pub fn nip(text: &[u8]) -> bool {
    exactly::<10>(text).is_some_and(|digits| {
        weighted(&digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == digits[9] && !is_uniform(&digits)
    })
}

/// Sweden: a personal number: the birthday and Luhn's digit over the last ten.
pub fn personnummer(text: &[u8]) -> bool {
    let Some(digits) = values(text) else { return false };
    let Some(last) = digits.len().checked_sub(10).and_then(|from| digits.get(from..)) else { return false };
    let (month, day) =
        (number(last.get(2..4).unwrap_or_default()), number(last.get(4..6).unwrap_or_default()));
    // Coordination numbers add 60 to the day.
    let day = if day > 60 { day - 60 } else { day };
    let century = digits.len() == 10 || matches!(digits.get(..2), Some([1, 8 | 9] | [2, 0]));
    matches!(digits.len(), 10 | 12) && century && is_day(month as u32, day as u32) && is_luhn(last)
}

/// Norway: a birth number with its two check digits.
pub fn fodselsnummer(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|digits| {
        // D-numbers add 4 to the first digit.
        let day = (if digits[0] > 3 { digits[0] - 4 } else { digits[0] }) * 10 + digits[1];
        let first = weighted(&digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
        let second = weighted(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
        is_day(digits[2] * 10 + digits[3], day) && first.is_multiple_of(11) && second.is_multiple_of(11)
    })
}

/// Denmark: a birthday and four digits.
pub fn cpr(text: &[u8]) -> bool {
    exactly::<10>(text).is_some_and(|digits| is_day(digits[2] * 10 + digits[3], digits[0] * 10 + digits[1]))
}

/// Finland: a birthday, a sign for the century, a serial and a check letter.
pub fn hetu(text: &[u8]) -> bool {
    let (Some(day), Some(serial), Some(check)) = (text.get(..6), text.get(7..10), text.get(10)) else {
        return false;
    };
    let Some(digits) = values(&[day, serial].concat()) else { return false };
    let place = (number(&digits) % 31) as usize;
    digits.len() == 9
        && is_day(
            digits.get(2).zip(digits.get(3)).map_or(0, |(tens, ones)| tens * 10 + ones),
            number(digits.get(..2).unwrap_or_default()) as u32,
        )
        && b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(place) == Some(&check.to_ascii_uppercase())
}

/// Belgium: a national number, modulo 97, of either century.
pub fn rijksregister(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|digits| {
        let body = number(digits.get(..9).unwrap_or_default());
        let check = number(digits.get(9..).unwrap_or_default());
        let month = digits[2] * 10 + digits[3];
        is_day(month, digits[4] * 10 + digits[5])
            && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
    })
}

/// Portugal: a taxpayer's number, modulo 11.
pub fn nif(text: &[u8]) -> bool {
    exactly::<9>(text).is_some_and(|digits| {
        let check = 11 - weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        matches!(digits[0], 1..=3 | 5..=9)
            && (if check > 9 { 0 } else { check }) == digits[8]
            && !is_uniform(&digits)
    })
}

/// Ireland: a personal public service number with its check letter.
pub fn pps(text: &[u8]) -> bool {
    let signs = signs(text);
    let Some(digits) = signs.get(..7).and_then(values) else { return false };
    let second = signs.get(8).map_or(0, |letter| u32::from(letter.saturating_sub(b'A') + 1));
    let second = if second == 23 { 0 } else { second };
    let sum = (weighted(&digits, &[8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23;
    let letter = b"WABCDEFGHIJKLMNOPQRSTUV".get(sum as usize);
    digits.len() == 7 && letter == signs.get(7)
}

/// Czechia and Slovakia: a birth number, divisible by 11.
pub fn rodne_cislo(text: &[u8]) -> bool {
    exactly::<10>(text).is_some_and(|digits| {
        let month = (digits[2] * 10 + digits[3]) % 50 % 20;
        is_day(month, digits[4] * 10 + digits[5]) && number(&digits).is_multiple_of(11)
    })
}

/// Romania: a personal code with its check digit.
pub fn cnp(text: &[u8]) -> bool {
    exactly::<13>(text).is_some_and(|digits| {
        let check = weighted(&digits, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
        digits[0] > 0
            && is_day(digits[3] * 10 + digits[4], digits[5] * 10 + digits[6])
            && (if check == 10 { 1 } else { check }) == digits[12]
    })
}

/// Austria: a social insurance number, modulo 11.
pub fn svnr(text: &[u8]) -> bool {
    exactly::<10>(text).is_some_and(|digits| {
        let sum = weighted(&digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
        digits[0] > 0
            && sum % 11 == digits[3]
            && is_day(digits[6] * 10 + digits[7], digits[4] * 10 + digits[5])
    })
}

/// Switzerland: an insured person's number, with EAN-13's digit.
pub fn ahv(text: &[u8]) -> bool {
    exactly::<13>(text)
        .is_some_and(|digits| weighted(&digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10))
}

/// India: Aadhaar, by Verhoeff's digit.
pub fn aadhaar(text: &[u8]) -> bool {
    exactly::<12>(text).is_some_and(|digits| !is_uniform(&digits) && digits[0] > 1) && verhoeff_digits(text)
}

/// Brazil: a taxpayer's number with its two check digits.
pub fn cpf(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|digits| {
        let check = |weights: &[u32]| weighted(&digits, weights) * 10 % 11 % 10;
        !is_uniform(&digits)
            && check(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[9]
            && check(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[10]
    })
}

/// Brazil: a company's number with its two check digits.
pub fn cnpj(text: &[u8]) -> bool {
    exactly::<14>(text).is_some_and(|digits| {
        let check = |weights: &[u32]| match weighted(&digits, weights) % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        };
        !is_uniform(&digits)
            && check(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[12]
            && check(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[13]
    })
}

/// Canada: a social insurance number, by Luhn's digit.
pub fn sin(text: &[u8]) -> bool {
    exactly::<9>(text)
        .is_some_and(|digits| !matches!(digits[0], 0 | 8) && is_luhn(&digits) && !is_uniform(&digits))
}

/// Australia: a tax file number, modulo 11.
pub fn tfn(text: &[u8]) -> bool {
    exactly::<9>(text).is_some_and(|digits| {
        weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !is_uniform(&digits)
    })
}

/// Australia: a Medicare card's number, with its check digit and its issue.
pub fn medicare(text: &[u8]) -> bool {
    values(text).is_some_and(|digits| {
        let check = weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
        matches!(digits.len(), 10 | 11)
            && matches!(digits.first(), Some(2..=6))
            && digits.get(8) == Some(&check)
    })
}

/// Australia: a business number, modulo 89.
pub fn abn(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|mut digits| {
        let Some(first) = digits[0].checked_sub(1) else { return false };
        digits[0] = first;
        weighted(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
    })
}

/// Singapore: an identity card's number with its check letter.
pub fn nric(text: &[u8]) -> bool {
    let signs = signs(text);
    let (Some(kind), Some(digits), Some(letter)) =
        (signs.first(), signs.get(1..8).and_then(values), signs.get(8))
    else {
        return false;
    };
    let sum = weighted(&digits, &[2, 7, 6, 5, 4, 3, 2]);
    let (sum, letters): (u32, &[u8]) = match kind {
        b'S' => (sum, b"JZIHGFEDCBA"),
        b'T' => (sum + 4, b"JZIHGFEDCBA"),
        b'F' => (sum, b"XWUTRQPNMLK"),
        b'G' => (sum + 4, b"XWUTRQPNMLK"),
        _ => (sum + 3, b"XWUTRQPNJLK"),
    };
    letters.get((sum % 11) as usize) == Some(letter)
}

/// South Korea: a resident's number: the birthday, the sex, and a check digit until October 2020.
pub fn rrn(text: &[u8]) -> bool {
    exactly::<13>(text).is_some_and(|digits| {
        let month = digits[2] * 10 + digits[3];
        let sum = weighted(&digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
        let checked = (11 - sum % 11) % 10 == digits[12];
        let recent = matches!(digits[6], 3 | 4) && digits[0] * 10 + digits[1] >= 20;
        is_day(month, digits[4] * 10 + digits[5]) && matches!(digits[6], 1..=8) && (checked || recent)
    })
}

/// China: a resident's number: the birthday and a check digit modulo 11.
pub fn resident_identity(text: &[u8]) -> bool {
    let Some((check, body)) = text.split_last() else { return false };
    let Some(digits) = values(body) else { return false };
    let sum = weighted(&digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let date = |from: usize, to: usize| number(digits.get(from..to).unwrap_or_default());
    digits.len() == 17
        && (1850..=2100).contains(&date(6, 10))
        && is_day(date(10, 12) as u32, date(12, 14) as u32)
        && b"10X98765432".get((sum % 11) as usize) == Some(&check.to_ascii_uppercase())
}

/// Hong Kong: an identity card's number with its check digit.
pub fn hkid(text: &[u8]) -> bool {
    let signs = signs(text);
    let Some((check, body)) = signs.split_last() else { return false };
    let spaces = if body.len() == 7 { Some(36) } else { None };
    let values = spaces.into_iter().chain(body.iter().filter_map(|sign| char::from(*sign).to_digit(36)));
    let sum: u32 = values.zip((2..=9).rev()).map(|(value, weight): (u32, u32)| value * weight).sum();
    let wanted = (11 - sum % 11) % 11;
    matches!(body.len(), 7 | 8)
        && (if *check == b'A' { Some(10) } else { char::from(*check).to_digit(10) }) == Some(wanted)
}

/// Taiwan: an identity card's number with its check digit.
pub fn taiwan_identity(text: &[u8]) -> bool {
    let (Some(letter), Some(digits)) = (text.first(), text.get(1..).and_then(exactly::<9>)) else {
        return false;
    };
    let place = b"ABCDEFGHJKLMNPQRSTUVXYWZIO".iter().position(|other| *other == letter.to_ascii_uppercase());
    let Some(value) = place.and_then(|place| u32::try_from(place + 10).ok()) else { return false };
    let sum = value / 10 + value % 10 * 9 + weighted(&digits, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    sum.is_multiple_of(10)
}

/// Japan: an individual's number with its check digit.
pub fn my_number(text: &[u8]) -> bool {
    exactly::<12>(text).is_some_and(|digits| {
        let rest = weighted(&digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        (if rest <= 1 { 0 } else { 11 - rest }) == digits[11] && !is_uniform(&digits)
    })
}

/// South Africa: an identity number: the birthday and Luhn's digit.
pub fn south_african_identity(text: &[u8]) -> bool {
    exactly::<13>(text).is_some_and(|digits| {
        is_day(digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]) && digits[10] < 3 && is_luhn(&digits)
    })
}

/// Turkey: a citizen's number with its two check digits.
pub fn tckn(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|digits| {
        let odd = digits[0] + digits[2] + digits[4] + digits[6] + digits[8];
        let even = digits[1] + digits[3] + digits[5] + digits[7];
        let sum: u32 = digits.iter().take(10).sum();
        digits[0] > 0 && (odd * 7 + 100 - even) % 10 == digits[9] && sum % 10 == digits[10]
    })
}

/// Israel: an identity number, by Luhn's digit.
pub fn israeli_identity(text: &[u8]) -> bool {
    exactly::<9>(text).is_some_and(|digits| is_luhn(&digits) && !is_uniform(&digits))
}

/// Chile: a citizen's or company's number, modulo 11.
pub fn rut(text: &[u8]) -> bool {
    let signs = signs(text);
    let Some((check, body)) = signs.split_last() else { return false };
    let Some(digits) = values(body) else { return false };
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    let wanted = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        value => b'0' + value as u8,
    };
    matches!(digits.len(), 7 | 8) && *check == wanted && !is_uniform(&digits)
}

/// Argentina: a taxpayer's number, modulo 11.
pub fn cuit(text: &[u8]) -> bool {
    exactly::<11>(text).is_some_and(|digits| {
        let check = (11 - weighted(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        check == digits[10] && matches!(digits[0], 2 | 3)
    })
}

/// Mexico: a citizen's code with its check digit.
pub fn curp(text: &[u8]) -> bool {
    // The letters count as in Spain's alphabet, with Ñ behind N.
    let value = |sign: u8| match sign {
        b'0'..=b'9' => u32::from(sign - b'0'),
        b'A'..=b'N' => u32::from(sign - b'A') + 10,
        b'O'..=b'Z' => u32::from(sign - b'A') + 11,
        _ => 0,
    };
    let signs = signs(text);
    let Some((check, body)) = signs.split_last() else { return false };
    let sum: u32 =
        body.iter().zip((2..=18).rev()).map(|(sign, weight): (&u8, u32)| value(*sign) * weight).sum();
    body.len() == 17 && char::from(*check).to_digit(10) == Some((10 - sum % 10) % 10)
}

/// A vehicle's number with North America's check digit (ISO 3779).
pub fn vin(text: &[u8]) -> bool {
    let weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = text
        .iter()
        .zip(weights)
        .map(|(sign, weight)| {
            let value = match sign {
                b'0'..=b'9' => u32::from(sign - b'0'),
                b'A'..=b'H' => u32::from(sign - b'A') + 1,
                b'J'..=b'R' => u32::from(sign - b'J') + 1,
                b'S'..=b'Z' => u32::from(sign - b'S') + 2,
                _ => 0,
            };
            value * weight
        })
        .sum();
    let wanted = match sum % 11 {
        10 => b'X',
        rest => b'0' + rest as u8,
    };
    text.len() == 17 && text.get(8) == Some(&wanted)
}

/// The European Union's value-added tax number of a country whose check this is: Germany's and France's; of others, the shape.
pub fn vat(text: &[u8]) -> bool {
    let signs = signs(text);
    let Some((country, rest)) = signs.split_at_checked(2) else { return false };
    match country {
        b"DE" => values(rest).is_some_and(|digits| digits.len() == 9 && is_mod_11_10(&digits)),
        b"FR" => {
            let digits = values(rest);
            digits.is_none_or(|digits| {
                let (key, body) = (
                    number(digits.get(..2).unwrap_or_default()),
                    number(digits.get(2..).unwrap_or_default()),
                );
                digits.len() == 11 && (12 + 3 * (body % 97)) % 97 == key
            })
        }
        b"IT" => partita_iva(rest),
        b"PL" => nip(rest),
        b"PT" => nif(rest),
        b"BE" => values(rest).is_some_and(|digits| {
            let (body, check) =
                (number(digits.get(..8).unwrap_or_default()), number(digits.get(8..).unwrap_or_default()));
            digits.len() == 10 && 97 - body % 97 == check
        }),
        _ => remainder97(rest.iter().copied()).is_some(),
    }
}
