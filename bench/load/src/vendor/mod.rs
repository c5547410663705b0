//! A mock vendor that takes as little of the processor as it can: it checks and records nothing, and makes each answer once.

mod aws;
mod events;
mod whole;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::clock;
use crate::wire::Connection;

#[derive(clap::Args)]
pub struct Options {
    /// 0 for a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Whose API a path belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    OpenAi,
    Embeddings,
    Anthropic,
    Gemini,
    Bedrock,
}

/// How all requests are answered, until `GET /control?…` says something else.
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// Before an answer begins.
    pub delay_us: u64,
    /// The text of an answer that is no stream.
    pub bytes: usize,
    /// Events with text in a stream.
    pub events: usize,
    /// Between two of them; 0 for as fast as the connection takes them.
    pub gap_us: u64,
    pub vectors: usize,
    pub dimensions: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { delay_us: 0, bytes: 400, events: 200, gap_us: 0, vectors: 32, dimensions: 1536 }
    }
}

#[derive(Default)]
struct State {
    behaviour: Behaviour,
    whole: HashMap<Api, Rc<[u8]>>,
}

type Shared = Rc<RefCell<State>>;

pub async fn run(options: Options) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    println!("{}", listener.local_addr()?);
    let state = Shared::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let state = state.clone();
        tokio::task::spawn_local(async move {
            // A gateway that hangs up is no concern of a vendor's.
            let _ = serve(stream, &state).await;
        });
    }
}

async fn serve(stream: TcpStream, state: &Shared) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(head) = connection.request().await? {
        let mut asks = Asks::default();
        connection.body(head.framing, |piece| asks.look(piece)).await?;
        let path = head.path.split_once('?').map_or(head.path.as_str(), |(path, _)| path);
        let Some((api, streams)) = api(path) else {
            let answer = if path == "/control" { control(state, &head.path) } else { NOT_FOUND };
            connection.write(answer).await?;
            continue;
        };
        let behaviour = state.borrow().behaviour;
        if behaviour.delay_us > 0 {
            tokio::time::sleep(Duration::from_micros(behaviour.delay_us)).await;
        }
        if streams.unwrap_or(asks.stream) {
            stream_events(&mut connection, api, behaviour, asks.usage).await?;
        } else {
            let made = state.borrow().whole.get(&api).cloned();
            let answer = made.unwrap_or_else(|| {
                let answer: Rc<[u8]> = whole::answer(api, behaviour).into();
                state.borrow_mut().whole.insert(api, answer.clone());
                answer
            });
            connection.write(&answer).await?;
        }
        if head.last {
            break;
        }
    }
    Ok(())
}

async fn stream_events(
    connection: &mut Connection,
    api: Api,
    behaviour: Behaviour,
    usage: bool,
) -> io::Result<()> {
    connection.write(&events::head(api)).await?;
    let mut out = Vec::new();
    events::begin(api, &mut out);
    if !out.is_empty() {
        connection.write(&out).await?;
    }
    let gap = Duration::from_micros(behaviour.gap_us.max(1));
    let mut clock = tokio::time::interval(gap);
    for _ in 0..behaviour.events {
        if behaviour.gap_us > 0 {
            clock.tick().await;
        }
        out.clear();
        events::text(api, clock::now(), &mut out);
        connection.write(&out).await?;
    }
    out.clear();
    events::end(api, behaviour.events, usage, &mut out);
    connection.write(&out).await
}

fn api(path: &str) -> Option<(Api, Option<bool>)> {
    Some(match path {
        "/v1/chat/completions" | "/chat/completions" => (Api::OpenAi, None),
        "/v1/embeddings" | "/embeddings" => (Api::Embeddings, Some(false)),
        "/v1/messages" => (Api::Anthropic, None),
        _ if path.ends_with(":generateContent") => (Api::Gemini, Some(false)),
        _ if path.ends_with(":streamGenerateContent") => (Api::Gemini, Some(true)),
        _ if path.ends_with("/converse") => (Api::Bedrock, Some(false)),
        _ if path.ends_with("/converse-stream") => (Api::Bedrock, Some(true)),
        _ => return None,
    })
}

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const DONE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";

/// `/control?delay_us=73000&bytes=400&events=200&gap_us=0&vectors=32&dimensions=1536`; what isn't named has its default.
fn control(state: &Shared, path: &str) -> &'static [u8] {
    let mut behaviour = Behaviour::default();
    let query = path.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, Ok(value))) = pair.split_once('=').map(|(name, value)| (name, value.parse::<u64>()))
        else {
            return BAD;
        };
        match name {
            "delay_us" => behaviour.delay_us = value,
            "bytes" => behaviour.bytes = value as usize,
            "events" => behaviour.events = value as usize,
            "gap_us" => behaviour.gap_us = value,
            "vectors" => behaviour.vectors = value as usize,
            "dimensions" => behaviour.dimensions = value as usize,
            _ => return BAD,
        }
    }
    *state.borrow_mut() = State { behaviour, whole: HashMap::new() };
    DONE
}

/// What a body asks for, as far as it decides the answer's form.
#[derive(Default)]
struct Asks {
    stream: bool,
    usage: bool,
    /// The end of what came before, as words may be cut.
    tail: Vec<u8>,
}

impl Asks {
    fn look(&mut self, piece: &[u8]) {
        // Gateways put these fields where they like; only large bodies come in many pieces.
        let joined;
        let text = if self.tail.is_empty() {
            piece
        } else {
            joined = [self.tail.as_slice(), piece].concat();
            &joined
        };
        let has = |words: [&[u8]; 2]| words.iter().any(|word| memchr::memmem::find(text, word).is_some());
        self.stream |= has([b"\"stream\":true", b"\"stream\": true"]);
        self.usage |= has([b"\"include_usage\":true", b"\"include_usage\": true"]);
        self.tail = text.get(text.len().saturating_sub(24)..).unwrap_or(text).to_vec();
    }
}
