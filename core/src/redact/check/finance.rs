//! Cards, accounts and wallets.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::digits::{exactly, is_luhn, is_uniform, number, remainder97, values, weighted};

/// A card's number: its issuer's range with the lengths of that, and Luhn's check digit.
pub fn card(text: &[u8]) -> bool {
    values(text).is_some_and(|digits| digits.len() >= 14 && is_issued(&digits) && is_luhn(&digits))
}

/// A card's number where the words around it say so: any issuer, and the short numbers of old.
pub fn card_by_context(text: &[u8]) -> bool {
    values(text)
        .is_some_and(|digits| (12..=19).contains(&digits.len()) && !is_uniform(&digits) && is_luhn(&digits))
}

fn is_issued(digits: &[u32]) -> bool {
    let prefix = |count: usize| number(digits.get(..count).unwrap_or_default());
    let length = digits.len();
    match prefix(1) {
        4 => matches!(length, 16 | 18 | 19),
        // Mastercard and Maestro.
        5 => match prefix(2) {
            51..=55 => length == 16,
            50 | 56..=58 => (14..=19).contains(&length),
            _ => false,
        },
        // Discover, Maestro, UnionPay, RuPay, Mir's neighbours.
        6 => matches!(prefix(2), 60 | 62 | 63 | 64 | 65 | 67 | 68 | 69) && (16..=19).contains(&length),
        // American Express, Diners Club, JCB.
        3 => match prefix(2) {
            34 | 37 => length == 15,
            36 | 38 | 39 => (14..=19).contains(&length),
            30 => matches!(prefix(3), 300..=305 | 309) && (14..=19).contains(&length),
            35 => matches!(prefix(4), 3528..=3589) && (16..=19).contains(&length),
            _ => false,
        },
        // Mastercard's new range, Mir, and JCB's old one.
        2 => {
            matches!(prefix(4), 2200..=2204 | 2221..=2720) && length == 16
                || prefix(4) == 2131 && length == 15
        }
        1 => prefix(4) == 1800 && length == 15,
        // UnionPay, Troy, Verve.
        8 => matches!(prefix(2), 81) && length == 16,
        9 => prefix(4) == 9792 && length == 16,
        _ => false,
    }
}

/// How long each country's IBAN is (SWIFT's registry).
const IBAN_LENGTHS: &[u8] = b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24\
FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27\
MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28\
TL23TN24TR26UA29VA22VG24XK20YE30";

/// The IBAN that a text begins with, by its country's length and its check digits.
pub fn iban(text: &[u8]) -> Option<Range<usize>> {
    let country = [text.first()?.to_ascii_uppercase(), text.get(1)?.to_ascii_uppercase()];
    let entry = IBAN_LENGTHS.chunks_exact(4).find(|entry| entry.starts_with(&country))?;
    let length: usize = std::str::from_utf8(entry.get(2..)?).ok()?.parse().ok()?;
    let places = text.iter().enumerate().filter(|(_, byte)| byte.is_ascii_alphanumeric());
    let (last, _) = places.clone().nth(length - 1)?;
    // What is longer is something else.
    if text.get(last + 1).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let signs: Vec<u8> = places.take(length).map(|(_, byte)| byte.to_ascii_uppercase()).collect();
    let (head, body) = signs.split_at_checked(4)?;
    let valid = remainder97(body.iter().chain(head).copied()) == Some(1);
    valid.then_some(0..last + 1)
}

/// A bank's identifier code: its fifth and sixth letters are a country.
pub fn bic(text: &[u8]) -> bool {
    text.get(4..6).is_some_and(is_country)
}

/// Two letters that ISO 3166 has.
pub fn is_country(letters: &[u8]) -> bool {
    const COUNTRIES: &[u8] = b"ADAEAFAGAIALAMAOARASATAUAWAZBABBBDBEBFBGBHBIBJBMBNBOBRBSBTBWBYBZCACDCFCGCHCICKCLCMCNCOCRCUCVCYCZ\
DEDJDKDMDODZECEEEGERESETFIFJFKFMFOFRGAGBGDGEGGGHGIGLGMGNGQGRGTGUGWGYHKHNHRHTHUIDIEILIMINIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKW\
KYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMGMHMKMLMMMNMOMRMSMTMUMVMWMXMYMZNANENGNINLNONPNRNZOMPAPEPFPGPHPKPLPMPRPSPTPWPYQARORSRURW\
SASBSCSDSESGSISKSLSMSNSOSRSSSTSVSYSZTCTDTGTHTJTLTMTNTOTRTTTVTWTZUAUGUSUYUZVAVCVEVGVIVNVUWSXKYEZAZMZW";
    COUNTRIES.chunks_exact(2).any(|country| country.eq_ignore_ascii_case(letters))
}

/// The routing number of a bank of the United States.
pub fn aba_routing(text: &[u8]) -> bool {
    exactly::<9>(text).is_some_and(|digits| {
        let prefix = number(digits.get(..2).unwrap_or_default());
        matches!(prefix, 1..=12 | 21..=32 | 61..=72 | 80)
            && weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
    })
}

/// A Bitcoin address in base 58, by its checksum.
pub fn base58check(text: &[u8]) -> bool {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0_u8; 25];
    for sign in text {
        let Some(value) = DIGITS.iter().position(|digit| digit == sign) else { return false };
        let mut carry = value;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xFF) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let (payload, checksum) = bytes.split_at(21);
    let digest = Sha256::digest(Sha256::digest(payload));
    matches!(bytes.first(), Some(0 | 5)) && digest.starts_with(checksum)
}

/// A Bitcoin address in bech32 or bech32m (BIPs 173 and 350), by its checksum.
pub fn bech32(text: &[u8]) -> bool {
    const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let step = |sum: u32, value: u32| {
        let shifted = (sum & 0x01FF_FFFF) << 5 ^ value;
        let top = sum >> 25;
        GENERATOR.iter().enumerate().fold(shifted, |sum, (bit, generator)| match top >> bit & 1 {
            1 => sum ^ generator,
            _ => sum,
        })
    };
    // The human-readable part `bc`, spread as the checksum has it.
    let mut sum = [3, 3, 0, 2, 3].into_iter().fold(1, step);
    for sign in text.iter().skip(3) {
        let sign = sign.to_ascii_lowercase();
        let Some(value) = DIGITS.iter().position(|digit| *digit == sign) else { return false };
        sum = step(sum, u32::try_from(value).unwrap_or(0));
    }
    matches!(sum, 1 | 0x2bc8_30a3)
}
