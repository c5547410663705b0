//! The exchanges that this VM is serving: the policy filter leaves them here for the provider filter to find.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use sluice_core::exchange::Exchange;

use crate::host;

/// An exchange that both filters of a stream work on.
pub type Shared = Rc<RefCell<Exchange>>;

/// The filter state that carries an exchange's number from one filter to the other.
const NUMBER: &str = "sluice_exchange";

thread_local! {
    static EXCHANGES: RefCell<HashMap<u64, Shared>> = RefCell::default();
    static NEXT: Cell<u64> = const { Cell::new(1) };
}

/// An exchange's place here; it is given up when this is dropped.
#[derive(Debug)]
pub struct Parked {
    number: u64,
    pub exchange: Shared,
}

impl Parked {
    /// Takes an exchange in.
    pub fn new(exchange: Exchange) -> Self {
        let number = NEXT.get();
        NEXT.set(number + 1);
        let exchange = Rc::new(RefCell::new(exchange));
        EXCHANGES.with_borrow_mut(|exchanges| exchanges.insert(number, Rc::clone(&exchange)));
        Self { number, exchange }
    }

    /// Has the provider filters of the current stream find it.
    pub fn show(&self) -> Result<(), host::Refused> {
        host::set_property(NUMBER, &self.number.to_string())
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        EXCHANGES.with_borrow_mut(|exchanges| exchanges.remove(&self.number));
    }
}

/// The exchange of the current stream.
pub fn current() -> Option<Shared> {
    let number = host::text_property(&[NUMBER])?.parse().ok()?;
    EXCHANGES.with_borrow(|exchanges| exchanges.get(&number).cloned())
}
