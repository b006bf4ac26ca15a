/* What the programs print that list layouts of redo: `Struct.field offset size`, `Struct size N`. */
#undef printf

#define FIELD(name, type, field) \
	printf(name " %d %d\n", (int) offsetof(type, field), (int) sizeof(((type *) 0)->field))
#define SIZE(name, size) printf(name " size %d\n", (int) (size))
