//! Parameters of a call, read into memory without letting a small frame become a large tree.
//!
//! A [`Value`] takes 32 bytes for an item that takes one byte on the wire: without a bound a frame of 1 MiB
//! was measured to cost 90 MB and, on a slow day, a second of a worker's time.

use std::fmt;

use ciborium::Value;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Items (numbers, strings, arrays, maps, …) in the parameters of one call, at most. A path takes one.
pub const MAX_ITEMS: usize = 65_536;

/// For `#[serde(deserialize_with)]`.
pub(crate) fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let mut left = MAX_ITEMS;
    Items(&mut left).deserialize(deserializer)
}

/// Reads one value, taking from what is left.
struct Items<'l>(&'l mut usize);

impl Items<'_> {
    fn take<E: Error>(&mut self) -> Result<(), E> {
        *self.0 = self
            .0
            .checked_sub(1)
            .ok_or_else(|| E::custom(format_args!("more than {MAX_ITEMS} items in one call")))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.take()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CBOR item")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_string<E: Error>(self, v: String) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_bytes<E: Error>(self, v: &[u8]) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_byte_buf<E: Error>(self, v: Vec<u8>) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Items(self.0))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key_seed(Items(self.0))? {
            fields.push((key, map.next_value_seed(Items(self.0))?));
        }
        Ok(Value::Map(fields))
    }

    /// How ciborium shows a tag; no request has one.
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let (_, variant) = access.variant_seed(Items(self.0))?;
        variant.newtype_variant_seed(Items(self.0))?;
        Err(A::Error::custom("a tag, which no request has"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Request, WirePath, decode, encode};

    /// A `rescan` of so many empty paths.
    fn rescan(paths: usize) -> Vec<u8> {
        let paths = vec![WirePath::default(); paths];
        encode(&Call::new(1, &Request::Rescan { paths }).unwrap()).unwrap()
    }

    #[test]
    fn a_call_may_hold_so_many_items_and_no_more() {
        // The map, its key and the array are items, too.
        let most = MAX_ITEMS - 3;
        let call: Call = decode(&rescan(most)).unwrap();
        assert!(matches!(call.request(), Ok(Request::Rescan { paths }) if paths.len() == most));
        let error = decode::<Call>(&rescan(most + 1)).unwrap_err();
        assert!(error.to_string().contains("65536 items"), "{error}");
    }

    #[test]
    fn everything_a_parameter_can_be_is_read_as_ciborium_reads_it() {
        let items = Value::Map(vec![
            ("a".into(), Value::Array(vec![1.into(), (-5).into(), u64::MAX.into(), 1.5.into()])),
            (Value::Bytes(vec![0xff]), Value::Null),
            (true.into(), Value::Map(Vec::new())),
        ]);
        let call = Call { id: 1, method: "x".into(), params: items };
        assert_eq!(decode::<Call>(&encode(&call).unwrap()).unwrap(), call);
        let tagged = Value::Tag(1, Box::new(1.into()));
        let call = Call { id: 1, method: "x".into(), params: tagged };
        assert!(decode::<Call>(&encode(&call).unwrap()).is_err());
    }
}
