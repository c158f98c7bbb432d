//! Constrained decoding of biomedical named entities: the library face and the command line.
