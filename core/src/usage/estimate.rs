//! How many tokens a text has, where no vendor tells.
//!
//! Vendors' tokenizers differ, and none is here: this is a rule of thumb. English prose has about 4.2 bytes a token in
//! current vocabularies, source code and JSON about 3.3, scripts of three bytes a character about 2 to 3.

/// About so many tokens are in a text of this many bytes; at least one in any text.
pub fn tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}
