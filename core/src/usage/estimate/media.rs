//! About how many tokens an image, a recording or a file has, which vendors tell in rules that differ.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::conversation::{Media, MediaKind, MediaSource};

/// So many pixels of an image are a token: between OpenAI's 1.2 tokens for 32 by 32 and Anthropic's one for 28 by 28.
const PIXELS: u64 = 800;
/// What an image has at least and at most; vendors make it smaller first.
const IMAGE: std::ops::RangeInclusive<u64> = 70..=4_000;
/// An image of unknown size: 1.2 megapixels, and a little more than what Gemini counts for any.
const UNKNOWN_IMAGE: u64 = 1_500;
/// A page of a document with its picture: from 560 at Gemini to 2,300 at Anthropic.
const PAGE: u64 = 1_500;
/// So many bytes of a document are thought to be a page.
const PAGE_BYTES: u64 = 45_000;
/// A document that can't be looked at, in pages.
const UNKNOWN_PAGES: u64 = 10;
/// A second of a recording, by Gemini's rule; OpenAI counts fewer.
const AUDIO_SECOND: u64 = 32;
/// A second of a film with its sound, by Gemini's rule.
const VIDEO_SECOND: u64 = 300;
/// A recording or film that can't be looked at, in seconds.
const UNKNOWN_SECONDS: u64 = 60;

/// How many characters of base64 are looked at for an image's size: a header alone, or what may stand before it in a JPEG.
const SHORT_LOOK: usize = 64;
const LONG_LOOK: usize = 8_192;

/// About how many tokens a medium has; nothing of one that is text in place, which is counted as such.
pub(super) fn tokens(media: &Media<'_>) -> u64 {
    match (&media.source, media.kind) {
        (MediaSource::Text { .. }, _) => 0,
        (MediaSource::Base64 { data, .. }, MediaKind::Image) => match size(data.as_bytes()) {
            Some((width, height)) => {
                (u64::from(width) * u64::from(height)).div_ceil(PIXELS).clamp(*IMAGE.start(), *IMAGE.end())
            }
            None => UNKNOWN_IMAGE,
        },
        (_, MediaKind::Image) => UNKNOWN_IMAGE,
        (MediaSource::Base64 { media_type, data, .. }, kind) => encoded(kind, media_type, data.len()),
        (_, MediaKind::Audio) => UNKNOWN_SECONDS * AUDIO_SECOND,
        (_, MediaKind::Video) => UNKNOWN_SECONDS * VIDEO_SECOND,
        (_, MediaKind::File) => UNKNOWN_PAGES * PAGE,
    }
}

/// What so many characters of base64 hold.
fn encoded(kind: MediaKind, media_type: &str, length: usize) -> u64 {
    let bytes = length as u64 / 4 * 3;
    let raw = ["wav", "pcm", "l16"].iter().any(|sort| media_type.contains(sort));
    match kind {
        // 16 bits at 16 kHz, or 64 kbit/s.
        MediaKind::Audio if raw => bytes.div_ceil(32_000 / AUDIO_SECOND),
        MediaKind::Audio => bytes.div_ceil(8_000 / AUDIO_SECOND),
        // 1 Mbit/s.
        MediaKind::Video => bytes.div_ceil(125_000 / VIDEO_SECOND),
        MediaKind::File if media_type.starts_with("text/") => bytes.div_ceil(4),
        MediaKind::File | MediaKind::Image => bytes.div_ceil(PAGE_BYTES).max(1) * PAGE,
    }
}

/// An image's width and height in pixels, by its first bytes in base64.
fn size(base64: &[u8]) -> Option<(u32, u32)> {
    let mut short = [0; SHORT_LOOK / 4 * 3];
    let start = decode(base64, SHORT_LOOK, &mut short)?;
    if start.starts_with(&[0xff, 0xd8]) {
        let mut long = [0; LONG_LOOK / 4 * 3];
        return jpeg(decode(base64, LONG_LOOK, &mut long)?);
    }
    let big = |at: usize| Some(u32::from_be_bytes(*start.get(at..)?.first_chunk()?));
    let little = |at: usize| Some(u32::from(u16::from_le_bytes(*start.get(at..)?.first_chunk()?)));
    match start {
        [0x89, b'P', b'N', b'G', ..] => Some((big(16)?, big(20)?)),
        [b'G', b'I', b'F', b'8', ..] => Some((little(6)?, little(8)?)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', b'V', b'P', b'8', kind, ..] => {
            match kind {
                b' ' => Some((little(26)? & 0x3fff, little(28)? & 0x3fff)),
                // 14 bits each, less one.
                b'L' => {
                    let bits = u32::from_le_bytes(*start.get(21..)?.first_chunk()?);
                    Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
                }
                // 24 bits each, less one.
                b'X' => {
                    let bits =
                        |at: usize| Some(u32::from_le_bytes(*start.get(at..)?.first_chunk()?) & 0x00ff_ffff);
                    Some((bits(24)? + 1, bits(27)? + 1))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The size in a JPEG's frame header, which stands behind segments of any length.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.get(2..)?;
    while let [0xff, marker, high, low, segment @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        match (marker, segment) {
            // The frame headers; C4, C8 and CC are something else.
            (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, [_, high, low, wide, narrow, ..]) => {
                let side = |high: &u8, low: &u8| u32::from(u16::from_be_bytes([*high, *low]));
                return Some((side(wide, narrow), side(high, low)));
            }
            _ => rest = segment.get(length.checked_sub(2)?..)?,
        }
    }
    None
}

/// The bytes of the first characters of base64, at most `look` of them.
fn decode<'b>(base64: &[u8], look: usize, bytes: &'b mut [u8]) -> Option<&'b [u8]> {
    let whole = base64.len().min(look) / 4 * 4;
    let length = STANDARD.decode_slice(base64.get(..whole)?, bytes).ok()?;
    bytes.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Place;
    use crate::json::Text;

    fn media(kind: MediaKind, media_type: &'static str, bytes: &[u8]) -> u64 {
        let data = Text::from(STANDARD.encode(bytes));
        let source = MediaSource::Base64 { media_type: Text::from(media_type), data, file_name: None };
        tokens(&Media { kind, source, at: Place::default() })
    }

    fn image(bytes: &[u8]) -> u64 {
        media(MediaKind::Image, "image/png", bytes)
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0]);
        bytes
    }

    #[test]
    fn an_image_has_tokens_by_its_pixels() {
        assert_eq!(image(&png(1024, 1024)), 1_311);
        assert_eq!((image(&png(8, 8)), image(&png(8_000, 8_000))), (70, 4_000));
        assert_eq!(image(&png(u32::MAX, u32::MAX)), 4_000);
        assert_eq!(image(b"GIF89a\x00\x04\x00\x04\x00\x00\x00"), 1_311);
    }

    #[test]
    fn sizes_of_webp_and_jpeg_are_found() {
        let webp = |kind: &[u8], rest: &[u8]| {
            size(STANDARD.encode([b"RIFF\0\0\0\0WEBPVP8", kind, rest].concat()).as_bytes())
        };
        let lossy = [&[0; 7][..], b"\x9d\x01\x2a", &640_u16.to_le_bytes(), &480_u16.to_le_bytes()].concat();
        assert_eq!(webp(b" ", &[&[0; 0][..], &lossy].concat()), Some((640, 480)));
        let bits: u32 = 639 | 479 << 14;
        assert_eq!(
            webp(b"L", &[&[0, 0, 0, 0, 0x2f][..], &bits.to_le_bytes(), &[0; 4]].concat()),
            Some((640, 480))
        );
        assert_eq!(
            webp(b"X", &[&[10, 0, 0, 0, 0, 0, 0, 0][..], &[0x7f, 2, 0], &[0xdf, 1, 0], &[0; 4]].concat()),
            Some((640, 480))
        );
        let jpeg = |before: usize| {
            let segment = [&[0xff, 0xe1][..], &(before as u16 + 2).to_be_bytes(), &vec![7; before]].concat();
            let frame = [0xff, 0xc2, 0, 17, 8, 1, 0xe0, 2, 0x80, 3];
            size(STANDARD.encode([&[0xff, 0xd8][..], &segment, &frame, &[0; 30]].concat()).as_bytes())
        };
        assert_eq!((jpeg(20), jpeg(6_000)), (Some((640, 480)), Some((640, 480))));
        assert_eq!(jpeg(9_000), None, "too far behind");
    }

    #[test]
    fn what_is_no_image_is_one_of_unknown_size() {
        for bytes in [
            &b""[..],
            b"\x89PNG",
            b"\xff\xd8",
            b"\xff\xd8\xff\xe0\x00\x00",
            b"RIFF....WEBPVP8X",
            b"hello, this is a text",
        ] {
            assert_eq!(image(bytes), UNKNOWN_IMAGE, "{bytes:?}");
        }
        let source = MediaSource::Base64 {
            media_type: Text::from("image/png"),
            data: Text::from("####"),
            file_name: None,
        };
        assert_eq!(tokens(&Media { kind: MediaKind::Image, source, at: Place::default() }), UNKNOWN_IMAGE);
    }

    #[test]
    fn recordings_and_documents_have_tokens_by_their_bytes() {
        // A minute at 16 kHz, and at 64 kbit/s.
        assert_eq!(media(MediaKind::Audio, "audio/wav", &vec![0; 60 * 32_000]), 60 * 32);
        assert_eq!(media(MediaKind::Audio, "audio/mp3", &vec![0; 60 * 8_000]), 60 * 32);
        assert_eq!(media(MediaKind::File, "application/pdf", &vec![0; 90_000]), 3_000);
        assert_eq!(media(MediaKind::File, "application/pdf", b"%PDF"), 1_500);
        assert_eq!(media(MediaKind::File, "text/plain", &[0; 300]), 75);
        let url = |kind| {
            tokens(&Media { kind, source: MediaSource::Url(Text::from("https://x")), at: Place::default() })
        };
        assert_eq!((url(MediaKind::Image), url(MediaKind::Audio)), (1_500, 1_920));
        assert_eq!((url(MediaKind::Video), url(MediaKind::File)), (18_000, 15_000));
    }
}
