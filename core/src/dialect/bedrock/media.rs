//! Writes images, documents, videos and recordings.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use serde::{Serialize, Serializer};

use crate::conversation::{Media, MediaKind, MediaSource};

use super::model::Model;

/// A medium of one of the kinds of content blocks.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum MediaBlock<'r> {
    Image(Medium<'r>),
    Document(Medium<'r>),
    Video(Medium<'r>),
    Audio(Medium<'r>),
}

/// What a block of any kind of medium holds.
#[derive(Debug, Serialize)]
pub(super) struct Medium<'r> {
    format: &'static str,
    /// Of documents only, which have to have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    source: Source<'r>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Source<'r> {
    Bytes(Bytes<'r>),
    S3Location { uri: &'r str },
}

/// Bytes, which JSON has in base64.
#[derive(Debug)]
enum Bytes<'r> {
    Base64(&'r str),
    Plain(&'r str),
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Base64(data) => serializer.serialize_str(data),
            Self::Plain(text) => {
                serializer.collect_str(&Base64Display::new(text.as_bytes(), &BASE64_STANDARD))
            }
        }
    }
}

/// The names of a request's documents: no two may be the same.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

const IMAGES: &[(&str, &str)] =
    &[("image/png", "png"), ("image/jpeg", "jpeg"), ("image/gif", "gif"), ("image/webp", "webp")];
const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];
const VIDEOS: &[(&str, &str)] = &[
    ("video/x-matroska", "mkv"),
    ("video/quicktime", "mov"),
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/mpeg", "mpeg"),
    ("video/x-ms-wmv", "wmv"),
    ("video/3gpp", "three_gp"),
];
const RECORDINGS: &[(&str, &str)] = &[
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/flac", "flac"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/aac", "aac"),
    ("audio/mp4", "m4a"),
    ("audio/webm", "webm"),
    ("audio/pcm", "pcm"),
];
/// Endings of names that are other words for a format.
const ENDINGS: &[(&str, &str)] =
    &[("jpg", "jpeg"), ("htm", "html"), ("markdown", "md"), ("mpg", "mpeg"), ("3gp", "three_gp")];

/// A medium as a content block; nothing for what Bedrock can't be given, or this model not.
pub(super) fn write_media<'r>(
    media: &'r Media<'_>,
    model: Model,
    names: &mut Names,
) -> Option<MediaBlock<'r>> {
    let (block, formats): (fn(Medium<'r>) -> MediaBlock<'r>, _) = match media.kind {
        MediaKind::Image => (MediaBlock::Image, IMAGES),
        MediaKind::File => (MediaBlock::Document, DOCUMENTS),
        // Claude neither hears nor sees films.
        MediaKind::Audio | MediaKind::Video if matches!(model, Model::Claude(_)) => return None,
        MediaKind::Video => (MediaBlock::Video, VIDEOS),
        MediaKind::Audio => (MediaBlock::Audio, RECORDINGS),
    };
    let (format, source, file_name) = match &media.source {
        MediaSource::Base64 { media_type, data, file_name } => {
            let media_type = media_type.split(';').next().unwrap_or_default().trim();
            let known = formats.iter().find(|(known, _)| media_type.eq_ignore_ascii_case(known));
            (known?.1, Source::Bytes(Bytes::Base64(data)), file_name.as_deref())
        }
        MediaSource::Text { text, file_name } if media.kind == MediaKind::File => {
            ("txt", Source::Bytes(Bytes::Plain(text)), file_name.as_deref())
        }
        // Bedrock fetches from S3, and from nowhere else.
        MediaSource::Url(url) if url.starts_with("s3://") => {
            (format_of(url, formats)?, Source::S3Location { uri: url }, url.rsplit('/').next())
        }
        // Ids are of the vendor that keeps the file.
        MediaSource::Url(_) | MediaSource::Text { .. } | MediaSource::File(_) => return None,
    };
    let name = (media.kind == MediaKind::File).then(|| names.name(file_name));
    Some(block(Medium { format, name, source }))
}

/// The format that the ending of a name stands for.
fn format_of(name: &str, formats: &[(&str, &'static str)]) -> Option<&'static str> {
    let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let ending =
        ENDINGS.iter().find(|(word, _)| *word == ending).map_or(ending.as_str(), |(_, format)| format);
    formats.iter().find(|(_, format)| *format == ending).map(|(_, format)| *format)
}

impl Names {
    /// A name for a document: letters, digits, single spaces, hyphens and brackets are all that one may have.
    fn name(&mut self, file_name: Option<&str>) -> String {
        let stem =
            file_name.map(|name| name.rsplit_once('.').map_or(name, |(stem, _)| stem)).unwrap_or_default();
        let mut name = String::new();
        for character in stem.chars().take(100) {
            let character = match character {
                letter if letter.is_ascii_alphanumeric() => letter,
                bracket @ ('(' | ')' | '[' | ']') => bracket,
                ' ' if !name.ends_with(' ') => ' ',
                ' ' => continue,
                _ => '-',
            };
            name.push(character);
        }
        let base: Cow<'_, str> = match name.trim() {
            "" => Cow::Borrowed("document"),
            name => Cow::Borrowed(name),
        };
        let mut unique = base.clone().into_owned();
        let mut count = 1;
        while !self.0.insert(unique.clone()) {
            count += 1;
            unique = format!("{base}-{count}");
        }
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Place;
    use crate::json::Text;

    fn write(kind: MediaKind, source: MediaSource<'_>, model: &str) -> Option<String> {
        let media = Media { kind, source, at: Place::default() };
        let block = write_media(&media, Model::of(model), &mut Names::default())?;
        Some(serde_json::to_string(&block).expect("serialises"))
    }

    fn base64<'a>(media_type: &'a str, file_name: Option<&'a str>) -> MediaSource<'a> {
        MediaSource::Base64 {
            media_type: media_type.into(),
            data: "AA==".into(),
            file_name: file_name.map(Text::from),
        }
    }

    #[test]
    fn each_kind_has_its_formats() {
        const NOVA: &str = "amazon.nova-pro-v1:0";
        for (kind, media_type, expected) in [
            (
                MediaKind::Image,
                "image/JPEG",
                Some(r#"{"image":{"format":"jpeg","source":{"bytes":"AA=="}}}"#),
            ),
            (MediaKind::Image, "image/tiff", None),
            (
                MediaKind::File,
                "text/html; charset=utf-8",
                Some(r#"{"document":{"format":"html","name":"document","source":{"bytes":"AA=="}}}"#),
            ),
            (MediaKind::File, "application/zip", None),
            (
                MediaKind::Video,
                "video/3gpp",
                Some(r#"{"video":{"format":"three_gp","source":{"bytes":"AA=="}}}"#),
            ),
            (MediaKind::Audio, "audio/wav", Some(r#"{"audio":{"format":"wav","source":{"bytes":"AA=="}}}"#)),
        ] {
            assert_eq!(write(kind, base64(media_type, None), NOVA).as_deref(), expected, "{media_type}");
        }
        assert_eq!(write(MediaKind::Video, base64("video/mp4", None), "anthropic.claude-opus-5"), None);
        assert_eq!(write(MediaKind::Audio, base64("audio/wav", None), "anthropic.claude-opus-5"), None);
    }

    #[test]
    fn text_is_written_as_the_bytes_that_it_is() {
        let source = MediaSource::Text { text: "käse".into(), file_name: Some("a.b/ü.txt".into()) };
        assert_eq!(
            write(MediaKind::File, source, "x.y").as_deref(),
            Some(r#"{"document":{"format":"txt","name":"a-b--","source":{"bytes":"a8Okc2U="}}}"#)
        );
    }

    #[test]
    fn what_is_on_s3_is_named() {
        let url = |url: &'static str| MediaSource::Url(url.into());
        assert_eq!(
            write(MediaKind::Image, url("s3://b/a.JPG"), "x.y").as_deref(),
            Some(r#"{"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://b/a.JPG"}}}}"#)
        );
        assert_eq!(write(MediaKind::Image, url("s3://b/a"), "x.y"), None);
        assert_eq!(write(MediaKind::Image, url("https://example.com/a.jpg"), "x.y"), None);
        assert_eq!(write(MediaKind::File, MediaSource::File("file-1".into()), "x.y"), None);
    }

    #[test]
    fn documents_have_names_of_their_own() {
        let mut names = Names::default();
        assert_eq!(names.name(Some("Annual  report (2026).pdf")), "Annual report (2026)");
        assert_eq!(names.name(Some("Annual report (2026).txt")), "Annual report (2026)-2");
        assert_eq!(names.name(Some(".pdf")), "document");
        assert_eq!(names.name(None), "document-2");
        assert_eq!(names.name(Some(&"x".repeat(300))).len(), 100);
    }
}
