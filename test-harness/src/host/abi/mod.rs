//! The numbers of proxy-wasm 0.2.1 and the functions that the host offers to the module.
pub(crate) mod buffers;
pub(crate) mod calls;
pub(crate) mod general;
pub(crate) mod maps;
pub(crate) mod memory;
pub mod pairs;
pub(crate) mod wasi;

/// What a host call answers (`proxy_status_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// No such key, header, queue, property, buffer.
    NotFound = 1,
    /// A number out of range, or something that is not there at this time.
    BadArgument = 2,
    /// A value that can't be written down.
    SerializationFailure = 3,
    /// A service that can't be understood.
    ParseFailure = 4,
    /// A pointer outside the module's memory.
    InvalidMemoryAccess = 6,
    /// The queue is empty.
    Empty = 7,
    /// The shared data were written since.
    CasMismatch = 8,
    /// The host failed.
    InternalFailure = 10,
    /// The connection of a callout broke.
    BrokenConnection = 11,
    /// Not offered.
    Unimplemented = 12,
}

/// Offers everything that Envoy offers to a module of this ABI, and nothing else.
pub(crate) fn link(linker: &mut memory::HostLinker) -> wasmtime::Result<()> {
    general::link(linker)?;
    maps::link(linker)?;
    buffers::link(linker)?;
    calls::link(linker)?;
    wasi::link(linker)
}

/// Which header map (`proxy_map_type_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapType {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
    GrpcInitialMetadata,
    GrpcTrailingMetadata,
    CalloutHeaders,
    CalloutTrailers,
}

/// Which buffer (`proxy_buffer_type_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BufferType {
    RequestBody,
    ResponseBody,
    Network,
    CalloutBody,
    GrpcMessage,
    VmConfiguration,
    PluginConfiguration,
    CallData,
}

impl MapType {
    pub(crate) fn from_abi(number: i32) -> Result<Self, Status> {
        Ok(match number {
            0 => Self::RequestHeaders,
            1 => Self::RequestTrailers,
            2 => Self::ResponseHeaders,
            3 => Self::ResponseTrailers,
            4 => Self::GrpcInitialMetadata,
            5 => Self::GrpcTrailingMetadata,
            6 => Self::CalloutHeaders,
            7 => Self::CalloutTrailers,
            _ => return Err(Status::BadArgument),
        })
    }
}

impl BufferType {
    pub(crate) fn from_abi(number: i32) -> Result<Self, Status> {
        Ok(match number {
            0 => Self::RequestBody,
            1 => Self::ResponseBody,
            2 | 3 => Self::Network,
            4 => Self::CalloutBody,
            5 => Self::GrpcMessage,
            6 => Self::VmConfiguration,
            7 => Self::PluginConfiguration,
            8 => Self::CallData,
            _ => return Err(Status::BadArgument),
        })
    }
}
