//! GET_VALUES: what the application tells about itself (FastCGI specification §4.1).

use wgi::{Malformed, Vars};

use crate::record::{GET_VALUES_RESULT, MAX_CONNS, MAX_REQS, MPXS_CONNS, NULL_REQUEST_ID, write_record};

/// The longest query that is taken, in bytes: the three variables there are come to 49.
pub(crate) const MAX_QUERY: usize = 1024;

/// Answers a query with the variables that it names and that there are, in its order.
///
/// # Errors
/// When the pairs of the query do not add up.
pub(crate) fn answer(query: &[u8], max_connections: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let query = Vars::from_block(query.to_vec())?;
    let mut result = Vars::new();
    for (name, _) in query.iter() {
        if result.get(name).is_some() {
            continue;
        }
        match name {
            // One exchange at a time runs on a connection, so that is how many requests run at once.
            MAX_CONNS | MAX_REQS => result.push(name, itoa::Buffer::new().format(max_connections)),
            // Requests that come interleaved are served, none is refused. But they wait for each other: a web server
            // that has the choice does better to open another connection, and `0` makes it.
            MPXS_CONNS => result.push(name, "0"),
            _ => {}
        }
    }
    write_record(GET_VALUES_RESULT, NULL_REQUEST_ID, result.as_block(), out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_answered_and_others_left_out() {
        let mut query = Vars::new();
        for name in [MPXS_CONNS, b"FCGI_COLOUR", MAX_REQS, MAX_REQS] {
            query.push(name, "");
        }
        let mut out = Vec::new();
        answer(query.as_block(), 12, &mut out).unwrap();
        assert_eq!(out, b"\x01\x0a\0\0\0\x23\0\0\x0f\x01FCGI_MPXS_CONNS0\x0d\x02FCGI_MAX_REQS12");
    }

    #[test]
    fn an_answer_is_never_longer_than_a_record() {
        let mut query = Vars::new();
        for name in [MPXS_CONNS, MAX_REQS, MAX_CONNS].into_iter().cycle().take(30) {
            query.push(name, "");
        }
        let mut out = Vec::new();
        answer(query.as_block(), usize::MAX, &mut out).unwrap();
        assert!(out.len() < 128);
        assert!(answer(&[5, 0], 1, &mut out).is_err());
    }
}
