//! Frames: how one record lies in a segment.
//!
//! ```text
//! u32 BE length of the payload │ u32 BE CRC32C over length and payload │ payload (CBOR)
//! ```
//!
//! The length is part of the checksum, so a run of zeros (what a file system may leave after a
//! power cut) is never a frame.

/// Bytes in front of each payload.
pub(super) const HEAD: usize = 8;

/// The longest payload, in bytes. An intent is bounded by its paths (about 20 KiB); the longest
/// record is a checkpoint, which lists every open operation.
pub(super) const MAX_PAYLOAD: usize = 4 << 20;

/// The shortest payload that a record can have: a map of one entry with a one-letter key.
const MIN_PAYLOAD: usize = 4;

/// Every payload begins with a CBOR map of one entry whose key is a text of one letter. Checked
/// while looking for the next frame after a bad one, where it spares most checksums.
const PAYLOAD_START: [u8; 2] = [0xa1, 0x61];

/// Why there is no frame here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// The bytes end before the frame does.
    Short,
    /// The length cannot be that of a record.
    Length,
    /// The checksum does not match.
    Checksum,
}

/// A payload that no frame may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a journal record of {0} bytes is longer than {MAX_PAYLOAD}")]
pub(super) struct TooLong(pub(super) usize);

/// Appends one frame to `out`; the payload is what `fill` appends.
pub(super) fn push(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), TooLong> {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    fill(out);
    let len = out.len() - start - HEAD;
    let length = match u32::try_from(len) {
        Ok(n) if len <= MAX_PAYLOAD => n.to_be_bytes(),
        _ => {
            out.truncate(start);
            return Err(TooLong(len));
        }
    };
    let crc = checksum(length, &out[start + HEAD..]);
    out[start..start + 4].copy_from_slice(&length);
    out[start + 4..start + HEAD].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

/// The payload of the frame at the start of `bytes`. The frame is [`HEAD`] bytes longer.
pub(super) fn take(bytes: &[u8]) -> Result<&[u8], Bad> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(Bad::Short)?;
    let len = u32::from_be_bytes(*length) as usize;
    if !(MIN_PAYLOAD..=MAX_PAYLOAD).contains(&len) {
        return Err(Bad::Length);
    }
    let (crc, rest) = rest.split_first_chunk::<4>().ok_or(Bad::Short)?;
    let payload = rest.get(..len).ok_or(Bad::Short)?;
    if checksum(*length, payload) == u32::from_be_bytes(*crc) {
        Ok(payload)
    } else {
        Err(Bad::Checksum)
    }
}

/// Where the next frame begins in `bytes`, of which a bad frame is at the start.
///
/// The end that the bad frame claims is tried first: when only its content is damaged, that is the
/// right place, and nothing inside the damaged content can pass for a frame. When its length is what
/// is damaged, that may be the end of a later frame: then frames lead there, one after the other.
pub(super) fn resync(bytes: &[u8]) -> Option<usize> {
    let begins = |at: usize| {
        let rest = &bytes[at..];
        rest.get(HEAD..HEAD + 2) == Some(&PAYLOAD_START) && take(rest).is_ok()
    };
    let claimed = bytes.first_chunk::<4>().map(|l| u32::from_be_bytes(*l) as usize);
    if let Some(next) = claimed.filter(|n| *n <= MAX_PAYLOAD).map(|n| n + HEAD)
        && bytes.get(next..).is_some_and(|rest| take(rest).is_ok())
    {
        let leads_there = |at: &usize| begins(*at) && leads(&bytes[*at..next]);
        return (1..next).find(leads_there).or(Some(next));
    }
    (1..bytes.len()).find(|&at| begins(at))
}

/// Whether these are frames and nothing else.
fn leads(mut bytes: &[u8]) -> bool {
    while let Ok(payload) = take(bytes) {
        bytes = &bytes[HEAD + payload.len()..];
    }
    bytes.is_empty()
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push(&mut out, |o| o.extend_from_slice(payload)).unwrap();
        out
    }

    #[test]
    fn what_no_frame_can_be() {
        assert_eq!(take(&[]), Err(Bad::Short));
        assert_eq!(take(&[0; 64]), Err(Bad::Length), "a run of zeros");
        assert_eq!(take(&[0xff; 64]), Err(Bad::Length), "refused before a byte of it is read");
        let whole = frame(b"\xa1\x61xyz");
        assert_eq!(take(&whole), Ok(&b"\xa1\x61xyz"[..]));
        for cut in 0..whole.len() {
            assert_eq!(take(&whole[..cut]), Err(Bad::Short), "cut at {cut}");
        }
        let mut out = vec![7];
        let long = push(&mut out, |o| o.resize(o.len() + MAX_PAYLOAD + 1, 0));
        assert_eq!((long, out), (Err(TooLong(MAX_PAYLOAD + 1)), vec![7]));
    }

    #[test]
    fn a_length_that_became_that_of_two_costs_one() {
        let payload = [&PAYLOAD_START[..], &[7; 20]].concat();
        let mut bytes = frame(&payload).repeat(4);
        let one = HEAD + payload.len();
        bytes[3] += u8::try_from(one).unwrap();
        assert_eq!(resync(&bytes), Some(one));
        bytes[3] += u8::try_from(one).unwrap();
        assert_eq!(resync(&bytes), Some(one));
    }

    proptest! {
        /// One damaged byte anywhere loses one frame: the ones around it are found, and nothing else.
        #[test]
        fn a_damaged_byte_costs_its_frame_only(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 2..40), 2..6),
            at in any::<prop::sample::Index>(),
            flip in 1..=255u8,
        ) {
            let payloads: Vec<_> =
                bodies.iter().map(|b| [&PAYLOAD_START[..], b].concat()).collect();
            let frames: Vec<_> = payloads.iter().map(|p| frame(p)).collect();
            let mut bytes = frames.concat();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let (mut found, mut pos) = (Vec::new(), 0);
            while pos < bytes.len() {
                match take(&bytes[pos..]) {
                    Ok(p) => { found.push(p.to_vec()); pos += HEAD + p.len(); }
                    Err(_) => match resync(&bytes[pos..]) { Some(n) => pos += n, None => break },
                }
            }
            let mut end = 0;
            let hit = frames.iter().position(|f| { end += f.len(); at < end }).unwrap();
            let mut expected = payloads;
            expected.remove(hit);
            prop_assert_eq!(found, expected);
        }
    }
}
