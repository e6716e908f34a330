// What of CPython's C API the fork point of Python uses, declared here: its
// headers are not there where only the interpreter is installed. All of it is
// exported by the interpreter, and what is laid out here is of the stable ABI
// (C API manual, "C API Stability").

#ifndef CORDON_SANDBOX_WARM_PYTHON_PYTHON_API_H_
#define CORDON_SANDBOX_WARM_PYTHON_PYTHON_API_H_

#include <stddef.h>
#include <stdio.h>

extern "C" {

struct PyObject;
struct PyThreadState;
struct PyInterpreterState;

struct PyMethodDef {
  const char* name;
  PyObject* (*method)(PyObject* self, PyObject* arguments);
  int flags;
  const char* documentation;
};

struct PyModuleDef {
  // PyModuleDef_HEAD_INIT.
  ptrdiff_t reference_count;
  void* type;
  void* init;
  ptrdiff_t index;
  PyObject* copy;
  const char* name;
  const char* documentation;
  ptrdiff_t size;
  PyMethodDef* methods;
  void* slots;
  void* traverse;
  void* clear;
  void* free;
};

struct PyCompilerFlags {
  int flags;
  int feature_version;
};

inline constexpr int kPythonApiVersion = 1013;  // PYTHON_API_VERSION
inline constexpr int kMethVarargs = 1;          // METH_VARARGS
inline constexpr int kFileInput = 257;          // Py_file_input
inline constexpr int kPrintRaw = 1;             // Py_PRINT_RAW

PyObject* PyModule_Create2(PyModuleDef* definition, int api_version);
int PyArg_ParseTuple(PyObject* arguments, const char* format, ...);
PyObject* PyObject_CallFunction(PyObject* callable, const char* format, ...);
PyObject* PyObject_CallMethod(PyObject* object, const char* name,
                              const char* format, ...);
int PyObject_IsTrue(PyObject* object);
PyObject* PyBool_FromLong(long value);
PyObject* PyObject_GetAttrString(PyObject* object, const char* name);
void Py_IncRef(PyObject* object);
void Py_DecRef(PyObject* object);
PyObject* PyList_New(ptrdiff_t size);
int PyList_Append(PyObject* list, PyObject* item);
ptrdiff_t PyList_Size(PyObject* list);
PyObject* PyList_GetItem(PyObject* list, ptrdiff_t index);
int PyList_SetSlice(PyObject* list, ptrdiff_t low, ptrdiff_t high,
                    PyObject* items);
PyObject* PyBytes_FromString(const char* text);
char* PyBytes_AsString(PyObject* bytes);
PyObject* PyImport_AddModule(const char* name);
PyObject* PyModule_GetDict(PyObject* module);
PyObject* PyDict_GetItemString(PyObject* dict, const char* key);
int PyDict_DelItemString(PyObject* dict, const char* key);
void PyDict_Clear(PyObject* dict);
PyObject* PySys_GetObject(const char* name);
int PyFile_WriteObject(PyObject* object, PyObject* file, int flags);
void PySys_WriteStderr(const char* format, ...);
long PyLong_AsLong(PyObject* number);
unsigned long PyType_GetFlags(PyObject* type);
void* PyType_GetSlot(PyObject* type, int slot);
PyObject* PyObject_Type(PyObject* object);
int PyObject_GC_IsTracked(PyObject* object);
int PySys_AddAuditHook(int (*hook)(const char* event, PyObject* arguments,
                                   void* data),
                       void* data);

void PyErr_Print();
void PyErr_Clear();
void PyErr_WriteUnraisable(PyObject* object);
int PyErr_ExceptionMatches(PyObject* exception);
void PyErr_Fetch(PyObject** type, PyObject** value, PyObject** traceback);
void PyErr_NormalizeException(PyObject** type, PyObject** value,
                              PyObject** traceback);
void PyErr_Restore(PyObject* type, PyObject* value, PyObject* traceback);
extern PyObject* PyExc_SystemExit;
// Whether the last code that was executed as a whole, a program or what exec()
// is given, ended by KeyboardInterrupt itself.
extern int _Py_UnhandledKeyboardInterrupt;
extern PyObject _Py_NoneStruct;

PyObject* PyRun_FileExFlags(FILE* file, const char* name, int start,
                            PyObject* globals, PyObject* locals, int closes,
                            PyCompilerFlags* flags);

void PyOS_BeforeFork();
void PyOS_AfterFork_Parent();
void PyOS_AfterFork_Child();
PyThreadState* PyThreadState_Get();
PyInterpreterState* PyThreadState_GetInterpreter(PyThreadState* state);
PyThreadState* PyThreadState_New(PyInterpreterState* interpreter);
PyThreadState* PyInterpreterState_ThreadHead(PyInterpreterState* interpreter);
PyThreadState* PyThreadState_Next(PyThreadState* state);
void PyThreadState_Clear(PyThreadState* state);
void PyThreadState_Delete(PyThreadState* state);
void PyThreadState_DeleteCurrent();
int PyGILState_Ensure();
int Py_FinalizeEx();
}

#endif  // CORDON_SANDBOX_WARM_PYTHON_PYTHON_API_H_
