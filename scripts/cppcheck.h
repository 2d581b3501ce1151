/* cppcheck reads no system headers; what it must know of jansson's. */
#define json_object_foreach(object, key, value)                                \
	for (; (key) && (value) && (object);)
#define json_array_foreach(array, index, value)                                \
	for ((index) = 0; (value) && (array); (index)++)
