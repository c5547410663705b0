//! AWS Signature Version 4: requests signed with an access key.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;

use super::{Secret, Unsigned};
use crate::failure::Failure;

/// An AWS access key.
#[derive(Debug)]
pub struct AwsKeys {
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
    pub region: String,
}

/// The service by which Bedrock's hosts check signatures, `bedrock-runtime` among them.
const SERVICE: &str = "bedrock";

/// What is signed besides the host and the signer's own headers: AWS wants the content type signed where it is sent, and
/// it is sent with every request.
const SIGNED_HEADERS: [(&str, &str); 1] = [("content-type", "application/json")];

impl AwsKeys {
    /// The headers that sign a request to the service `bedrock`.
    pub(super) fn sign(
        &self,
        request: Unsigned<'_>,
        now: Duration,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        self.sign_for(SERVICE, &SIGNED_HEADERS, request, now)
            .ok_or_else(|| Failure::operator("The request could not be signed."))
    }

    fn sign_for(
        &self,
        service: &str,
        signed: &[(&str, &str)],
        request: Unsigned<'_>,
        now: Duration,
    ) -> Option<Vec<(&'static str, String)>> {
        let token = self.session_token.as_ref().map(|token| token.expose().to_owned());
        let identity = Credentials::new(
            self.access_key_id.expose(),
            self.secret_access_key.expose(),
            token,
            None,
            "environment",
        )
        .into();
        // By default the path is encoded a second time for the signature, as every service but S3 does it, and the
        // token is signed too.
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(UNIX_EPOCH.checked_add(now)?)
            .settings(SigningSettings::default())
            .build()
            .ok()?;
        let url = format!("{}://{}{}", request.scheme, request.authority, request.path);
        let body = SignableBody::Bytes(request.body);
        let signable = SignableRequest::new("POST", url, signed.iter().copied(), body).ok()?;
        let (instructions, _) = sign(signable, &params.into()).ok()?.into_parts();
        let (headers, _) = instructions.into_parts();
        Some(headers.into_iter().map(|header| (header.name(), header.value().to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");

    fn keys(region: &str, token: Option<&str>) -> AwsKeys {
        AwsKeys {
            access_key_id: Secret::new(KEY.0.to_owned()),
            secret_access_key: Secret::new(KEY.1.to_owned()),
            session_token: token.map(|token| Secret::new(token.to_owned())),
            region: region.to_owned(),
        }
    }

    fn value<'h>(headers: &'h [(&'static str, String)], name: &str) -> Option<&'h str> {
        headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    /// The cases `post-vanilla` and `post-sts-header-before` of Amazon's own test suite for signers.
    #[test]
    fn amazons_published_cases_are_met() {
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoI\
                     YRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSX\
                     Dvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8f\
                     POLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        for (token, signed, signature) in [
            (None, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                Some(token),
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            let request =
                Unsigned { scheme: "https", authority: "example.amazonaws.com", path: "/", body: b"" };
            // 2015-08-30T12:36:00Z
            let now = Duration::from_secs(1_440_938_160);
            let headers = keys("us-east-1", token).sign_for("service", &[], request, now).expect("signs");
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={signed}, Signature={signature}"
            );
            assert_eq!(value(&headers, "authorization"), Some(expected.as_str()));
            assert_eq!(value(&headers, "x-amz-date"), Some("20150830T123600Z"));
            assert_eq!(value(&headers, "x-amz-security-token"), token);
        }
    }

    /// The signatures that botocore 1.44.5 makes for the same requests.
    #[test]
    fn requests_are_signed_as_amazons_own_client_does() {
        let claude = Unsigned {
            scheme: "https",
            authority: "bedrock-runtime.eu-central-1.amazonaws.com",
            path: "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            body: br#"{"messages":[]}"#,
        };
        let profile = Unsigned {
            scheme: "http",
            authority: "127.0.0.1:8080",
            path: "/base/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc\
                   /converse-stream",
            body: "{\"text\":\"käse\"}".as_bytes(),
        };
        let token = Some("session/token+=");
        for (request, token, signature) in [
            (claude, None, "469745c4ba51c130c9f11c6bbf50e4cfd725b4ff64d89261d5a0cd4e979e6350"),
            (profile, None, "a9c8b5af970a929f75b645c996cb8c05e9df8de6005cd782e935bddf0e19123c"),
            (claude, token, "24bb2a6ddaf381fcf991d6a830b9c56d190f3a1f6494f910d9a25331febd8ba5"),
            (profile, token, "fb2f146fcdd2a8fbad48a6cbf1e98bfc78547924a4e86e529341d5febc4157f9"),
        ] {
            // 2026-11-21T04:42:53Z
            let now = Duration::from_secs(1_795_236_173);
            let headers = keys("eu-central-1", token).sign(request, now).expect("signs");
            let authorization = value(&headers, "authorization").expect("is there");
            assert!(authorization.ends_with(&format!(", Signature={signature}")), "{authorization}");
            assert_eq!(value(&headers, "x-amz-date"), Some("20261121T044253Z"));
            assert_eq!(value(&headers, "x-amz-security-token"), token);
            assert_eq!(headers.len(), if token.is_some() { 3 } else { 2 });
        }
    }

    #[test]
    fn what_can_not_be_signed_is_the_operators() {
        let request = Unsigned { scheme: "https", authority: "exa mple", path: "/", body: b"" };
        let failure = keys("us-east-1", None).sign(request, Duration::ZERO).unwrap_err();
        assert_eq!(failure.blame, crate::failure::Blame::Operator);
        assert!(!failure.message.contains(KEY.1));
    }
}
