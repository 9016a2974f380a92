//! FORWARD_REQUEST: a request without its body, taken apart. Nothing is judged here, and nothing is copied.
//!
//! ```text
//! method (1)  protocol  req_uri  remote_addr  remote_host  server_name  server_port (2)  is_ssl (1)
//! num_headers (2)  num_headers × ( name | A0 code, value )
//! attributes: code (1) with a value by the code …  FF
//! ```
//!
//! Everything has to be there and nothing more: a number of fields that lies, a string that ends elsewhere than its
//! length says, an attribute of a kind that cannot be read, and bytes behind the end make the packet malformed.

use crate::packet::{
    AJP_LOCAL_ADDR, AJP_REMOTE_PORT, AJP_SSL_PROTOCOL, ARE_DONE, AUTH_TYPE, CODED, CONTEXT, JVM_ROUTE,
    METHOD_IS_STORED, METHODS, QUERY_STRING, REMOTE_USER, REQ_ATTRIBUTE, REQUEST_FIELDS, SECRET, SERVLET_PATH,
    SSL_CERT, SSL_CIPHER, SSL_KEY_SIZE, SSL_SESSION, STORED_METHOD,
};
use crate::reader::{Reader, Short};
use crate::settings::Dialect;

/// Why a packet is malformed.
pub(crate) type Malformed = &'static str;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct ForwardRequest<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) protocol: &'a [u8],
    pub(crate) req_uri: &'a [u8],
    pub(crate) remote_addr: Option<&'a [u8]>,
    pub(crate) remote_host: Option<&'a [u8]>,
    pub(crate) server_name: Option<&'a [u8]>,
    pub(crate) server_port: u16,
    pub(crate) is_ssl: bool,
    pub(crate) fields: Fields<'a>,
    pub(crate) attributes: Attributes<'a>,
}

/// The attributes that are known; of others nothing is kept (CVE-2020-1938).
#[derive(Debug, Default)]
pub(crate) struct Attributes<'a> {
    pub(crate) remote_user: Option<&'a [u8]>,
    pub(crate) auth_type: Option<&'a [u8]>,
    pub(crate) query_string: Option<&'a [u8]>,
    pub(crate) jvm_route: Option<&'a [u8]>,
    pub(crate) ssl_cert: Option<&'a [u8]>,
    pub(crate) ssl_cipher: Option<&'a [u8]>,
    pub(crate) ssl_session: Option<&'a [u8]>,
    pub(crate) ssl_key_size: Option<KeySize<'a>>,
    pub(crate) ssl_protocol: Option<&'a [u8]>,
    pub(crate) remote_port: Option<&'a [u8]>,
    pub(crate) local_addr: Option<&'a [u8]>,
    pub(crate) secret: Option<&'a [u8]>,
    stored_method: Option<&'a [u8]>,
}

/// How many bits the key of a cipher has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeySize<'a> {
    Number(u16),
    /// lighttpd's: a string.
    Text(&'a [u8]),
}

/// The header fields, which were read once and found to be whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    reader: Reader<'a>,
    left: u16,
}

impl<'a> ForwardRequest<'a> {
    /// Reads the content of a packet, behind its first byte.
    pub(crate) fn read(content: &'a [u8], dialect: Dialect) -> Result<ForwardRequest<'a>, Malformed> {
        let mut reader = Reader::new(content);
        let request = ForwardRequest::read_from(&mut reader, dialect)?;
        if !reader.is_empty() {
            return Err("there is more in FORWARD_REQUEST than its parts");
        }
        Ok(request)
    }

    fn read_from(reader: &mut Reader<'a>, dialect: Dialect) -> Result<ForwardRequest<'a>, Malformed> {
        let method = reader.byte()?;
        let protocol = reader.string()?.unwrap_or_default();
        let req_uri = reader.string()?.unwrap_or_default();
        let remote_addr = given(reader.string()?);
        let remote_host = given(reader.string()?);
        let server_name = given(reader.string()?);
        let server_port = reader.number()?;
        let is_ssl = match reader.byte()? {
            0 => false,
            1 => true,
            _ => return Err("is_ssl is neither 0 nor 1"),
        };
        let left = reader.number()?;
        let fields = Fields { reader: *reader, left };
        for _ in 0..left {
            read_field(reader)?;
        }
        let attributes = Attributes::read_from(reader, dialect)?;
        let method = match (method, attributes.stored_method) {
            (METHOD_IS_STORED, Some(method)) => method,
            (METHOD_IS_STORED, None) => return Err("the method is to stand in an attribute that is not there"),
            (_, Some(_)) => return Err("there are two methods"),
            (code, None) => named(&METHODS, code).ok_or("the method is of no known code")?,
        };
        Ok(ForwardRequest {
            method,
            protocol,
            req_uri,
            remote_addr,
            remote_host,
            server_name,
            server_port,
            is_ssl,
            fields,
            attributes,
        })
    }
}

impl<'a> Attributes<'a> {
    fn read_from(reader: &mut Reader<'a>, dialect: Dialect) -> Result<Attributes<'a>, Malformed> {
        let mut attributes = Attributes::default();
        loop {
            let place = match reader.byte()? {
                ARE_DONE => return Ok(attributes),
                REMOTE_USER => &mut attributes.remote_user,
                AUTH_TYPE => &mut attributes.auth_type,
                QUERY_STRING => &mut attributes.query_string,
                JVM_ROUTE => &mut attributes.jvm_route,
                SSL_CERT => &mut attributes.ssl_cert,
                SSL_CIPHER => &mut attributes.ssl_cipher,
                SSL_SESSION => &mut attributes.ssl_session,
                SECRET => &mut attributes.secret,
                STORED_METHOD => &mut attributes.stored_method,
                SSL_KEY_SIZE => {
                    let size = match dialect {
                        Dialect::Standard => Some(KeySize::Number(reader.number()?)),
                        Dialect::Lighttpd => given(reader.string()?).map(KeySize::Text),
                    };
                    put(&mut attributes.ssl_key_size, size)?;
                    continue;
                }
                REQ_ATTRIBUTE => match reader.string()?.unwrap_or_default() {
                    AJP_REMOTE_PORT => &mut attributes.remote_port,
                    AJP_LOCAL_ADDR => &mut attributes.local_addr,
                    AJP_SSL_PROTOCOL => &mut attributes.ssl_protocol,
                    _ => {
                        reader.string()?;
                        continue;
                    }
                },
                CONTEXT | SERVLET_PATH => {
                    reader.string()?;
                    continue;
                }
                // How long it is, and so where the next begins, cannot be known.
                _ => return Err("an attribute is of no known code"),
            };
            put(place, given(reader.string()?))?;
        }
    }
}

impl<'a> Fields<'a> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.left.into()
    }
}

impl<'a> Iterator for Fields<'a> {
    /// A name as it came or as its code has it, and a value.
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        read_field(&mut self.reader).ok()
    }
}

fn read_field<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let name = if reader.peek()? == CODED {
        let [_, code] = reader.number()?.to_be_bytes();
        named(&REQUEST_FIELDS, code).ok_or("the name of a field is of no known code")?
    } else {
        reader.string()?.ok_or("a field has no name")?
    };
    // lighttpd has no string where the value is empty.
    Ok((name, reader.string()?.unwrap_or_default()))
}

/// The word for a code, of which the first is 1.
fn named(words: &[&'static str], code: u8) -> Option<&'static [u8]> {
    let index = usize::from(code).checked_sub(1)?;
    words.get(index).map(|word| word.as_bytes())
}

/// A string that says something.
fn given(string: Option<&[u8]>) -> Option<&[u8]> {
    string.filter(|string| !string.is_empty())
}

/// Keeps the value of an attribute. Where it stands twice, nobody can tell which was meant.
fn put<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), Malformed> {
    let Some(value) = value else { return Ok(()) };
    if place.replace(value).is_some() { Err("an attribute stands twice") } else { Ok(()) }
}

impl From<Short> for Malformed {
    fn from(_: Short) -> Malformed {
        "a length or a number of fields in FORWARD_REQUEST lies"
    }
}
