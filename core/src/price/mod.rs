//! Prices.
#[derive(Clone, Copy)]
pub struct NanoUsd(pub u64);
impl std::fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
