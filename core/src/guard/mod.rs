//! Guards: what prompts and answers may hold.

pub mod injection;
