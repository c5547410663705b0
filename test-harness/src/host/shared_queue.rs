//! The shared queues of a process, and who must be told that one has data.
use std::collections::{HashMap, VecDeque};

use super::abi::Status;

/// Queues by token; a token is never 0.
#[derive(Debug, Default)]
pub struct SharedQueues {
    tokens: HashMap<(String, String), u32>,
    queues: HashMap<u32, Queue>,
    ready: Vec<Ready>,
}

/// `proxy_on_queue_ready` is due: for this virtual machine, this root, this queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    pub(crate) vm: u64,
    pub(crate) context: u32,
    pub(crate) token: u32,
}

#[derive(Debug, Default)]
struct Queue {
    vm: u64,
    context: u32,
    items: VecDeque<Vec<u8>>,
}

impl SharedQueues {
    /// Registers a queue, or takes over the notifications of one that exists; its items stay.
    pub fn register(&mut self, vm_id: &str, name: &str, vm: u64, context: u32) -> u32 {
        let next = self.tokens.len() as u32 + 1;
        let token = *self.tokens.entry((vm_id.to_owned(), name.to_owned())).or_insert(next);
        let queue = self.queues.entry(token).or_default();
        queue.vm = vm;
        queue.context = context;
        token
    }

    /// The token of a queue that was registered.
    pub fn resolve(&self, vm_id: &str, name: &str) -> Result<u32, Status> {
        self.tokens.get(&(vm_id.to_owned(), name.to_owned())).copied().ok_or(Status::NotFound)
    }

    /// Appends an item and notes that the registrant is to be told.
    pub fn enqueue(&mut self, token: u32, item: &[u8]) -> Result<(), Status> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        queue.items.push_back(item.to_vec());
        self.ready.push(Ready { vm: queue.vm, context: queue.context, token });
        Ok(())
    }

    /// Takes the oldest item; an empty queue is [`Status::Empty`].
    pub fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        self.queues.get_mut(&token).ok_or(Status::NotFound)?.items.pop_front().ok_or(Status::Empty)
    }

    /// The next notification that is due for a virtual machine.
    pub(crate) fn take_ready(&mut self, vm: u64) -> Option<Ready> {
        let position = self.ready.iter().position(|ready| ready.vm == vm)?;
        Some(self.ready.remove(position))
    }
}
