//! Load on a gateway: what all its kinds share.

pub mod closed;
pub mod hold;
pub mod open;
pub mod stream;

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::net::TcpStream;

use crate::report::Report;
use crate::wire::{Connection, Head};

pub type Shared = Rc<RefCell<Report>>;

/// What is sent, and where.
#[derive(clap::Args, Clone)]
pub struct Target {
    /// Host and port of the gateway.
    #[arg(long)]
    address: String,
    #[arg(long)]
    path: String,
    /// The file with the request's body.
    #[arg(long)]
    body: PathBuf,
    /// `name: value`; may be given again.
    #[arg(long = "header")]
    headers: Vec<String>,
}

/// A client with one connection, which it opens again where the gateway closed it between two requests.
pub struct Client {
    address: String,
    message: Rc<[u8]>,
    connection: Option<Connection>,
}

impl Target {
    pub fn message(&self) -> io::Result<Rc<[u8]>> {
        let body = std::fs::read(&self.body)?;
        let mut message = format!("POST {} HTTP/1.1\r\nhost: {}\r\n", self.path, self.address);
        for header in &self.headers {
            message.extend([header, "\r\n"]);
        }
        message
            .push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len()));
        Ok([message.as_bytes(), &body].concat().into())
    }

    pub fn client(&self, message: &Rc<[u8]>) -> Client {
        Client { address: self.address.clone(), message: message.clone(), connection: None }
    }
}

impl Client {
    pub async fn connect(&mut self) -> io::Result<()> {
        if self.connection.is_none() {
            self.connection = Some(Connection::new(TcpStream::connect(&self.address).await?)?);
        }
        Ok(())
    }

    /// Sends the request once, and shows the pieces of its answer's body; returns the status.
    pub async fn exchange(&mut self, piece: impl FnMut(&[u8])) -> io::Result<u16> {
        let (mut connection, head) = self.begin().await?;
        connection.body(head.framing, piece).await?;
        if !head.last {
            self.connection = Some(connection);
        }
        Ok(head.status)
    }

    async fn begin(&mut self) -> io::Result<(Connection, Head)> {
        if let Some(mut connection) = self.connection.take()
            && let Ok(Some(head)) = ask(&mut connection, &self.message).await
        {
            return Ok((connection, head));
        }
        let mut connection = Connection::new(TcpStream::connect(&self.address).await?)?;
        let head = ask(&mut connection, &self.message).await?;
        let closed =
            || io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed without an answer");
        Ok((connection, head.ok_or_else(closed)?))
    }
}

async fn ask(connection: &mut Connection, message: &[u8]) -> io::Result<Option<Head>> {
    connection.write(message).await?;
    connection.answer().await
}
