//! HTTP/1.1 as both ends need it: heads, and bodies by length or in chunks.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PIECE: usize = 1 << 16;
const HEADERS: usize = 64;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
    Close,
}

/// A request's or an answer's head.
pub struct Head {
    /// Of a request.
    pub path: String,
    /// Of an answer.
    pub status: u16,
    pub framing: Framing,
    /// The other side closes the connection after this message.
    pub last: bool,
}

pub struct Connection {
    stream: TcpStream,
    /// What was received; all before `read` has been taken.
    received: Vec<u8>,
    read: usize,
}

impl Connection {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(PIECE), read: 0 })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// A request's head, or `None` where the connection ended before one began.
    pub async fn request(&mut self) -> io::Result<Option<Head>> {
        self.head(|bytes| {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut request = httparse::Request::new(&mut headers);
            Ok(match request.parse(bytes).map_err(malformed)? {
                httparse::Status::Partial => None,
                httparse::Status::Complete(length) => {
                    let (framing, last) = framing(request.headers)?;
                    // A request without a length has no body.
                    let framing = if framing == Framing::Close { Framing::Length(0) } else { framing };
                    let path = request.path.unwrap_or_default().to_owned();
                    Some((length, Head { path, status: 0, framing, last }))
                }
            })
        })
        .await
    }

    /// An answer's head, or `None` where the connection ended before one began.
    pub async fn answer(&mut self) -> io::Result<Option<Head>> {
        self.head(|bytes| {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut answer = httparse::Response::new(&mut headers);
            Ok(match answer.parse(bytes).map_err(malformed)? {
                httparse::Status::Partial => None,
                httparse::Status::Complete(length) => {
                    let (framing, last) = framing(answer.headers)?;
                    let status = answer.code.unwrap_or_default();
                    Some((length, Head { path: String::new(), status, framing, last }))
                }
            })
        })
        .await
    }

    /// Reads a body to its end and shows each piece.
    pub async fn body(&mut self, framing: Framing, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
        match framing {
            Framing::Length(length) => self.exactly(length, &mut piece).await,
            Framing::Close => loop {
                piece(self.rest());
                self.read = self.received.len();
                if !self.receive().await? {
                    return Ok(());
                }
            },
            Framing::Chunked => loop {
                let line = self.line().await?;
                let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                let size =
                    std::str::from_utf8(size).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
                match size.ok_or_else(|| malformed("the size of a chunk"))? {
                    0 => {
                        // Trailers end with an empty line.
                        while !self.line().await?.is_empty() {}
                        return Ok(());
                    }
                    size => {
                        self.exactly(size, &mut piece).await?;
                        self.line().await?;
                    }
                }
            },
        }
    }

    async fn head(
        &mut self,
        parse: impl Fn(&[u8]) -> io::Result<Option<(usize, Head)>>,
    ) -> io::Result<Option<Head>> {
        loop {
            if !self.rest().is_empty()
                && let Some((length, head)) = parse(self.rest())?
            {
                self.read += length;
                return Ok(Some(head));
            }
            if !self.receive().await? {
                return if self.rest().is_empty() { Ok(None) } else { Err(ended()) };
            }
        }
    }

    async fn exactly(&mut self, mut length: usize, piece: &mut impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            let rest = self.rest();
            let taken = rest.get(..length).unwrap_or(rest);
            if !taken.is_empty() {
                piece(taken);
            }
            let taken = taken.len();
            self.read += taken;
            length -= taken;
            if length == 0 {
                return Ok(());
            }
            if !self.receive().await? {
                return Err(ended());
            }
        }
    }

    /// The next line, without its end.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(length) = memchr::memmem::find(self.rest(), b"\r\n") {
                let line = self.rest().get(..length).unwrap_or_default().to_vec();
                self.read += length + 2;
                return Ok(line);
            }
            if !self.receive().await? {
                return Err(ended());
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.received.get(self.read..).unwrap_or_default()
    }

    /// Receives more; `false` at the end.
    async fn receive(&mut self) -> io::Result<bool> {
        self.received.drain(..self.read);
        self.read = 0;
        self.received.reserve(PIECE);
        Ok(self.stream.read_buf(&mut self.received).await? > 0)
    }
}

fn framing(headers: &[httparse::Header]) -> io::Result<(Framing, bool)> {
    let mut framing = Framing::Close;
    let mut last = false;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
            framing = Framing::Length(length.ok_or_else(|| malformed("content-length"))?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            last = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok((framing, last))
}

fn malformed(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within a message")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn bodies_are_read_however_they_arrive() -> io::Result<()> {
        let sent = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nt: 1\r\n\r\n\
                     HTTP/1.1 429 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
        for cut in 1..sent.len() {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let mut server = TcpStream::connect(listener.local_addr()?).await?;
            let mut client = Connection::new(listener.accept().await?.0)?;
            let write = async {
                server.write_all(&sent[..cut]).await?;
                tokio::task::yield_now().await;
                server.write_all(&sent[cut..]).await
            };
            let read = async {
                let mut got = Vec::new();
                for _ in 0..2 {
                    let head = client.answer().await?.ok_or_else(ended)?;
                    client.body(head.framing, |piece| got.extend_from_slice(piece)).await?;
                    got.extend_from_slice(format!(" {} {};", head.status, head.last).as_bytes());
                }
                Ok::<_, io::Error>(got)
            };
            let (_, got) = tokio::try_join!(write, read)?;
            assert_eq!(got, b"abc0123456789 200 false;no 429 true;", "cut at {cut}");
        }
        Ok(())
    }
}
