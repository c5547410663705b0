//! What is said of a client's body that can't be read, in every dialect.

use crate::failure::Failure;
use crate::json::{self, FaultKind};

/// The failure of a body that can't be read.
pub(crate) fn malformed(fault: json::Fault) -> Failure {
    let path = fault.path;
    match (fault.kind, path) {
        (FaultKind::Duplicate, path) => {
            Failure::invalid(format!("The request's body has a {}.", fault.message), path)
                .code("duplicate_key")
        }
        (FaultKind::OutOfRange, Some(path)) => {
            Failure::invalid(format!("Invalid value for '{path}': {}.", fault.message), Some(path))
                .code("invalid_value")
        }
        (FaultKind::Mistyped, Some(path)) => {
            Failure::invalid(format!("Invalid type for '{path}': {}.", fault.message), Some(path))
                .code("invalid_type")
        }
        (_, path) => Failure::invalid(
            format!("The request's body could not be read as JSON: {}.", fault.message),
            path,
        )
        .code("invalid_json"),
    }
}

/// The failure of a body that lacks a field.
pub(crate) fn missing(path: &str) -> Failure {
    Failure::invalid(format!("Missing required parameter: '{path}'."), Some(path.to_owned()))
        .code("missing_required_parameter")
}
